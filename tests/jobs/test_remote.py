"""Files on a host: what is written is never anybody else's to read, and whole or not there."""

import subprocess
import time
from pathlib import Path

import pytest

from jobs.remote import WRITE


@pytest.mark.parametrize("left", [False, True], ids=["clean", "after a crash"])
@pytest.mark.parametrize(("before", "mode"), [(0o600, 0o600), (0o640, 0o640), (None, 0o644)])
def test_the_new_text_is_never_more_open_than_the_old(
    tmp_path: Path, before: int | None, mode: int, left: bool
) -> None:
    path, fresh = tmp_path / "docker.json", tmp_path / "docker.json.imker~"
    if before is not None:
        path.write_text("old")
        path.chmod(before)
    if left:
        fresh.write_text("of a run that died")
        fresh.chmod(0o666)
    with subprocess.Popen(["sh", "-c", WRITE, "imker", str(path)], stdin=subprocess.PIPE, text=True) as writing:
        assert writing.stdin
        writing.stdin.write("a secret")
        writing.stdin.flush()
        deadline = time.monotonic() + 10
        while not fresh.exists() or fresh.read_text() != "a secret":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert fresh.stat().st_mode & 0o777 == mode
        assert not before or path.read_text() == "old"
    assert (path.read_text(), path.stat().st_mode & 0o777, fresh.exists()) == ("a secret", mode, False)
