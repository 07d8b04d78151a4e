"""Hidden modules are missing for one import only, and what was there before is there afterwards."""

import sys
from pathlib import Path

import pytest

from imker.lean_imports import import_part, import_without

LIBRARY = """
try:
    import optional_part
except ImportError:
    optional_part = None
"""


@pytest.fixture(autouse=True)
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide a library with an optional dependency, and a package that cannot be imported as a whole."""
    (tmp_path / "some_library.py").write_text(LIBRARY)
    (tmp_path / "optional_part.py").write_text("")
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy/__init__.py").write_text("raise AssertionError('imported as a whole')")
    (tmp_path / "heavy/part.py").write_text("from .other import VALUE")
    (tmp_path / "heavy/other.py").write_text("VALUE = 1")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("some_library", "optional_part", "heavy", "heavy.part", "heavy.other"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_hides_an_optional_dependency_from_the_library_only() -> None:
    import_without("some_library", "optional_part")
    assert sys.modules["some_library"].optional_part is None
    assert "optional_part" not in sys.modules
    import optional_part  # type: ignore[import-not-found]

    assert sys.modules["optional_part"] is optional_part


def test_restores_a_dependency_that_is_in_use() -> None:
    import optional_part

    import_without("some_library", "optional_part")
    assert sys.modules["some_library"].optional_part is None
    assert sys.modules["optional_part"] is optional_part


def test_leaves_a_library_that_is_in_use() -> None:
    import some_library  # type: ignore[import-not-found]

    import_without("some_library", "optional_part")
    assert some_library.optional_part is not None


def test_imports_a_part_without_its_package() -> None:
    assert import_part("heavy.part").VALUE == 1
    assert "heavy" not in sys.modules


def test_reports_a_missing_package() -> None:
    with pytest.raises(ImportError):
        import_part("no_such_package.part")
