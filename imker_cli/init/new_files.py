"""Write several files, each of them complete or not at all."""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NewFile:
    """A file to write, with its permissions."""

    path: Path
    text: str
    mode: int = 0o644


def write_files(files: Iterable[NewFile]) -> None:
    """Write all texts beside the files, then replace the files. Before that, a failure leaves all as they were.

    A file that is a symbolic link stays one: what it points to is replaced.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for file in files:
            target = file.path.resolve()
            path = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
            staged.append((path, target))
            _write(path, file)
        for path, target in staged:
            path.replace(target)
    finally:
        for path, _ in staged:
            with suppress(FileNotFoundError):
                path.unlink()


def _write(path: Path, file: NewFile) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode), "w") as stream:
        stream.write(file.text)
        stream.flush()
        os.fsync(stream.fileno())
