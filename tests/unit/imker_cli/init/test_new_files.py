"""Write several files: all or none, with their permissions."""

import stat
from pathlib import Path

import pytest

from imker_cli.init.new_files import NewFile, write_files


def test_writes_texts_with_permissions(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("old")
    (tmp_path / "b").chmod(0o644)
    write_files([NewFile(tmp_path / "a", "1"), NewFile(tmp_path / "b", "2", 0o600)])
    assert [(path.name, path.read_text()) for path in sorted(tmp_path.iterdir())] == [("a", "1"), ("b", "2")]
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def test_writes_nothing_if_one_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(OSError, match="No such file"):
        write_files([NewFile(tmp_path / "a", "1"), NewFile(tmp_path / "missing/b", "2")])
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_writes_through_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere/a")
    write_files([NewFile(tmp_path / "a", "1")])
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "elsewhere/a").read_text() == "1"
