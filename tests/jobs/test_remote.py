"""What is done to files, by the scripts themselves under a real `sh`: byte for byte, and through links."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from jobs import remote
from jobs.shell import EXACT, Output

LATIN = "# für Köln\n".encode("latin-1")


class Here:
    """This machine as a host, without sudo."""

    host = "kaditz"

    def run(self, *argv: str, stdin: str = "", check: bool = True, **_: object) -> Output:
        done = subprocess.run(argv, input=stdin.encode(errors=EXACT), capture_output=True, check=False)
        texts = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        said = Output(done.returncode, *texts, done.stdout)
        return said.or_failed(self.host, argv[0]) if check else said

    def reconnect(self) -> None:
        pass


@pytest.fixture(autouse=True)
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's note of what to go back to, in a folder that is not there yet."""
    path = tmp_path / "lib/imker/before"
    monkeypatch.setattr(remote, "BEFORE", str(path))
    return path


@pytest.mark.parametrize("left", [False, True], ids=["clean", "after a crash"])
@pytest.mark.parametrize(("mode", "wanted"), [(0o600, 0o600), (0o640, 0o640), (None, 0o644)])
def test_the_new_text_is_at_no_moment_more_open_than_the_old(
    tmp_path: Path, mode: int | None, wanted: int, left: bool
) -> None:
    path, fresh = tmp_path / "docker.json", tmp_path / "docker.json.imker~"
    if mode is not None:
        path.write_text("old")
        path.chmod(mode)
    if left:
        fresh.write_text("of a run that died")
        fresh.chmod(0o666)
    with subprocess.Popen(["sh", "-c", remote.WRITE, "imker", str(path)], stdin=subprocess.PIPE, text=True) as writing:
        assert writing.stdin
        writing.stdin.write("a secret")
        writing.stdin.flush()
        deadline = time.monotonic() + 10
        while not fresh.exists() or fresh.read_text() != "a secret":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert fresh.stat().st_mode & 0o777 == wanted
        assert mode is None or path.read_text() == "old"
    assert (path.read_text(), path.stat().st_mode & 0o777, fresh.exists()) == ("a secret", wanted, False)


@pytest.fixture(params=["file", "link", "link to a link"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """As the daemon reads it: a file, or a link to one in another folder."""
    path, kept = tmp_path / "etc/daemon.json", tmp_path / "kept/docker.json"
    for one in (path, kept):
        one.parent.mkdir()
    if request.param == "file":
        return path
    between = tmp_path / "kept/between.json"
    if request.param == "link to a link":
        between.symlink_to("docker.json")
    path.symlink_to(between if between.is_symlink() else kept)
    return path


def test_a_file_is_written_saved_and_restored_as_it_was(file: Path, before: Path) -> None:
    file.write_bytes(LATIN)
    os.utime(file, (1_400_000_000, 1_400_000_000))
    file.chmod(0o640)
    link = file.readlink() if file.is_symlink() else None
    remote.save(Here(), str(file), noted=True)
    (copy,) = remote.saved_copies(Here(), str(file))
    assert before.read_text() == f"{copy}\n"

    text = remote.read(Here(), str(file))
    assert text is not None
    remote.write(Here(), str(file), text + "{}\n")
    assert file.read_bytes() == LATIN + b"{}\n"
    assert file.stat().st_mode & 0o777 == 0o640

    remote.restore(Here(), copy, str(file))
    assert (file.read_bytes(), file.stat().st_mtime) == (LATIN, 1_400_000_000)
    assert file.stat().st_mode & 0o777 == 0o640
    assert (file.readlink() if file.is_symlink() else None) == link
    left = {one.name for folder in {file.parent, file.resolve().parent} for one in folder.iterdir()}
    assert left - {"between.json"} == {"daemon.json", Path(copy).name, file.resolve().name}


def test_what_is_not_there_has_no_copy_and_is_made(tmp_path: Path, before: Path) -> None:
    path = tmp_path / "new/folder/file"
    remote.save(Here(), str(path), noted=True)
    assert not before.exists()
    remote.write(Here(), str(path), "new\n")
    assert path.read_text() == "new\n"


def test_lines_are_noted_one_below_the_other(before: Path) -> None:
    for line in ("docker.io=20.10.24+dfsg1", "a b $HOME"):
        remote.note(Here(), remote.BEFORE, line)
    assert before.read_text() == "docker.io=20.10.24+dfsg1\na b $HOME\n"


def test_a_copy_that_is_not_to_be_gone_back_to_is_not_noted(tmp_path: Path, before: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    remote.save(Here(), str(path), noted=False)
    (copy,) = remote.saved_copies(Here(), str(path))
    assert Path(copy).read_text() == "old\n"
    assert not before.exists()
