"""Test the file scripts under a real `sh`: byte for byte, and through symbolic links."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.connectors import files
from jobs.connectors.script_files import load_script
from jobs.connectors.shell import script, sudo
from jobs.errors import CommandFailed, StateChanged
from tests.support.local_shell import LocalShell

pytestmark = pytest.mark.processes

SECRET = "a secret" * 10_000  # more than a pipe and the buffers of the tools hold
LATIN = "# für Köln\n".encode("latin-1")


@pytest.fixture(autouse=True)
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the file with the rollback point, in a folder that does not exist yet."""
    path = tmp_path / "lib/imker/before"
    monkeypatch.setattr(files, "ROLLBACK_FILE", str(path))
    return path


def backups_of(path: Path) -> list[str]:
    """Return the paths of a file's backups, oldest first."""
    return sorted(str(copy) for copy in path.parent.glob(f"{path.name}.imker-*"))


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
    change = files.FileChange(str(path), None if mode is None else "old", SECRET, backed_up=False)
    words = script(load_script("backup", "change_files"), "1", "", *change.words)
    with subprocess.Popen(words, stdin=subprocess.PIPE) as writing:
        assert writing.stdin
        writing.stdin.write(SECRET[:-1].encode())
        writing.stdin.flush()
        deadline = time.monotonic() + 10
        while not (text_of(fresh) or "").startswith("a secret"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert fresh.stat().st_mode & 0o777 == expected_mode
        assert mode is None or path.read_text() == "old"
        writing.stdin.write(SECRET[-1:].encode())
    assert (path.read_text(), path.stat().st_mode & 0o777, fresh.exists()) == (SECRET, expected_mode, False)


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


def change(path: Path, after: str, *, backed_up: bool = True) -> None:
    """Change a file from its current text."""
    before = files.read_file(LocalShell(), str(path))
    files.change_files(LocalShell(), files.FileChange(str(path), before, after, backed_up))


def test_writes_backs_up_and_restores_a_file(file: Path, before: Path) -> None:
    file.write_bytes(LATIN)
    os.utime(file, (1_400_000_000, 1_400_000_000))
    file.chmod(0o640)
    link = file.readlink() if file.is_symlink() else None
    text = files.read_file(LocalShell(), str(file))
    assert text is not None
    change(file, text + "{}\n")
    (copy,) = backups_of(file)
    assert before.read_text() == f"{copy}\n"
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
    change(path, "new\n")
    assert path.read_text() == "new\n"
    assert not before.exists()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("there", "expected"), [("edited\n", "old\n"), ("old", "old\n"), ("old\n", None), (None, "old\n")]
)
def test_changes_no_file_if_one_of_them_differs(
    tmp_path: Path, before: Path, there: str | None, expected: str | None
) -> None:
    first, second = tmp_path / "first file", tmp_path / "second"
    first.write_text("1\n")
    if there is not None:
        second.write_text(there)
    changes = (files.FileChange(str(first), "1\n", "2\n"), files.FileChange(str(second), expected, "new\n"))
    with pytest.raises(StateChanged, match=f"{second} on kaditz changed after the plan was made"):
        files.change_files(LocalShell(), *changes)
    assert (first.read_text(), text_of(second)) == ("1\n", there)
    assert {path.name for path in tmp_path.iterdir()} <= {"first file", "second"}
    assert not before.exists()


TEXTS = st.binary(max_size=50).map(lambda raw: raw.decode(errors="surrogateescape"))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_writes_each_text_into_its_file(tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"file {number}" for number in range(len(texts))]
    for path, (old, _) in zip(paths, texts, strict=True):
        path.write_bytes(os.fsencode(old))
    changes = [
        files.FileChange(str(path), old, new, backed_up=False) for path, (old, new) in zip(paths, texts, strict=True)
    ]
    files.change_files(LocalShell(), *changes)
    assert [path.read_bytes() for path in paths] == [os.fsencode(new) for _, new in texts]
    assert sorted(folder.iterdir()) == paths


def test_keeps_the_old_text_if_the_new_one_is_cut_short(tmp_path: Path) -> None:
    """Write less than announced, as after a lost connection."""
    path = tmp_path / "file"
    path.write_text("old\n")
    lost = files.FileChange(str(path), "old\n", "a new text\n", backed_up=False)
    cut = sudo(*script(load_script("backup", "change_files"), "1", "", *lost.words), stdin="a new")
    with pytest.raises(CommandFailed, match="the new text is incomplete"):
        LocalShell().run(cut)
    assert path.read_text() == "old\n"


def test_records_only_the_first_backup_in_the_rollback_point(tmp_path: Path, before: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "file2"
    for item in (path, other):
        item.write_text("old\n")
    change(other, "new\n")
    change(path, "new\n")
    change(path, "newer\n")
    copies = backups_of(path)
    assert [Path(copy).read_text() for copy in copies] == ["old\n", "new\n"]
    assert before.read_text().splitlines() == [*backups_of(other), copies[0]]
    files.back_up_file(LocalShell(), str(path))
    assert len(backups_of(path)) == 3
    assert len(before.read_text().splitlines()) == 2


def test_backs_up_only_on_request(tmp_path: Path, before: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    change(path, "new\n", backed_up=False)
    assert (backups_of(path), before.exists()) == ([], False)
