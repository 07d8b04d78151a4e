"""Test the file scripts under a real `sh`: byte for byte, and through symbolic links."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from jobs.connectors import files
from tests.support.local_shell import LocalShell

pytestmark = pytest.mark.processes

LATIN = "# für Köln\n".encode("latin-1")


@pytest.fixture(autouse=True)
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the rollback file, in a folder that does not exist yet."""
    path = tmp_path / "lib/imker/before"
    monkeypatch.setattr(files, "ROLLBACK_FILE", str(path))
    return path


def backups_of(path: Path) -> list[str]:
    return [str(copy) for copy in path.parent.glob(f"{path.name}.imker-*")]


def text_of(path: Path) -> str | None:
    """Return the file's text, None if it does not exist at this moment: the script removes an old one first."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("remaining", [False, True], ids=["clean", "after a crash"])
@pytest.mark.parametrize(("mode", "expected_mode"), [(0o600, 0o600), (0o640, 0o640), (None, 0o644)])
def test_never_writes_the_new_text_with_a_more_open_mode(
    tmp_path: Path, mode: int | None, expected_mode: int, remaining: bool
) -> None:
    path, fresh = tmp_path / "docker.json", tmp_path / "docker.json.imker~"
    if mode is not None:
        path.write_text("old")
        path.chmod(mode)
    if remaining:
        fresh.write_text("of a run that died")
        fresh.chmod(0o666)
    with subprocess.Popen(
        ["sh", "-c", files.WRITE_SCRIPT, "imker", str(path)], stdin=subprocess.PIPE, text=True
    ) as writing:
        assert writing.stdin
        writing.stdin.write("a secret")
        writing.stdin.flush()
        deadline = time.monotonic() + 10
        while text_of(fresh) != "a secret":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert fresh.stat().st_mode & 0o777 == expected_mode
        assert mode is None or path.read_text() == "old"
    assert (path.read_text(), path.stat().st_mode & 0o777, fresh.exists()) == ("a secret", expected_mode, False)


@pytest.fixture(params=["file", "link", "link to a link"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return an option file: a regular file, or a link to one in another folder."""
    path, real_path = tmp_path / "etc/daemon.json", tmp_path / "kept/docker.json"
    for item in (path, real_path):
        item.parent.mkdir()
    if request.param == "file":
        return path
    between = tmp_path / "kept/between.json"
    if request.param == "link to a link":
        between.symlink_to("docker.json")
    path.symlink_to(between if between.is_symlink() else real_path)
    return path


def test_writes_backs_up_and_restores_a_file(file: Path, before: Path) -> None:
    file.write_bytes(LATIN)
    os.utime(file, (1_400_000_000, 1_400_000_000))
    file.chmod(0o640)
    link = file.readlink() if file.is_symlink() else None
    files.back_up_file(LocalShell(), str(file), for_rollback=True)
    (copy,) = backups_of(file)
    assert before.read_text() == f"{copy}\n"

    text = files.read_file(LocalShell(), str(file))
    assert text is not None
    files.write_file(LocalShell(), str(file), text + "{}\n")
    assert file.read_bytes() == LATIN + b"{}\n"
    assert file.stat().st_mode & 0o777 == 0o640

    files.restore_backup(LocalShell(), copy, str(file))
    assert (file.read_bytes(), file.stat().st_mtime) == (LATIN, 1_400_000_000)
    assert file.stat().st_mode & 0o777 == 0o640
    assert (file.readlink() if file.is_symlink() else None) == link
    names = {item.name for folder in {file.parent, file.resolve().parent} for item in folder.iterdir()}
    assert names - {"between.json"} == {"daemon.json", Path(copy).name, file.resolve().name}


def test_creates_a_missing_file_without_a_backup(tmp_path: Path, before: Path) -> None:
    path = tmp_path / "new/folder/file"
    files.back_up_file(LocalShell(), str(path), for_rollback=True)
    assert not before.exists()
    files.write_file(LocalShell(), str(path), "new\n")
    assert path.read_text() == "new\n"


def test_appends_lines_in_order(before: Path) -> None:
    for line in ("docker.io=20.10.24+dfsg1", "a b $HOME"):
        files.append_line(LocalShell(), files.ROLLBACK_FILE, line)
    assert before.read_text() == "docker.io=20.10.24+dfsg1\na b $HOME\n"


def test_adds_a_backup_to_the_rollback_point_only_on_request(tmp_path: Path, before: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    files.back_up_file(LocalShell(), str(path), for_rollback=False)
    (copy,) = backups_of(path)
    assert Path(copy).read_text() == "old\n"
    assert not before.exists()
