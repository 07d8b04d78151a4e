"""Import libraries without the parts that Imker does not use, because each process would hold them in memory.

A library tries its optional dependencies when it is imported. They are hidden from it, and from it only.
"""

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def import_without(library: str, *optional: str) -> None:
    """Import a library as if its optional dependencies were not installed. Does nothing if it is imported already."""
    if library in sys.modules:
        return
    with _replaced(dict.fromkeys(optional)), warnings.catch_warnings(action="ignore"):
        importlib.import_module(library)


def import_part(name: str) -> ModuleType:
    """Import one module of a package without the code of the package itself. Raises ImportError."""
    package = name.partition(".")[0]
    if package in sys.modules or (spec := find_spec(package)) is None:
        return importlib.import_module(name)
    with _replaced({package: module_from_spec(spec)}):
        return importlib.import_module(name)


@contextmanager
def _replaced(modules: dict[str, ModuleType | None]) -> Iterator[None]:
    """Replace modules until the block ends. None: an import of it fails."""
    before = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(before)
