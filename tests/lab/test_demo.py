"""`make demo` as somebody types it, on simulated hosts: what is in the terminal, and the exit status."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lab.slack.server_process import free_port

ROOT = Path(__file__).parents[2]
MAKE = ("make", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.installed")  # in the environment that runs this


def demo(port: int, **more: str) -> tuple[bool, str]:
    """Whether it ended well, and what it said."""
    settings = {**os.environ, "HOSTS_SIMULATED": "1", "DEMO_PORT": str(port), **more}
    result = subprocess.run([*MAKE, "demo"], env=settings, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert "Traceback" not in result.stdout + result.stderr, result.stdout + result.stderr
    return result.returncode == 0, result.stdout + result.stderr


def test_it_ends_well_when_the_swarm_is_as_the_story_says() -> None:
    well, output = demo(free_port())
    assert well, output
    assert "These hosts are SIMULATED" in output
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for line in (
        "alice: /swarm migrate connewitz --manager",
        "[Accept] [Reject]",
        "bob presses Accept",
        "ID HOSTNAME MEMBERSHIP STATUS AVAILABILITY MANAGER STATUS ENGINE",
        "The swarm is in the expected state.",
    ):
        assert line in lines, output


def a_job_dies(folder: Path) -> dict[str, str]:
    (folder / "job.started").touch()
    return {"IMKER_FAULTS": str(folder)}


def nothing_starts(_: Path) -> dict[str, str]:
    return {"IMKER_SIGNING_KEY": "short"}


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (a_job_dies, "The story failed: the last message should say '3 hosts'"),
        (nothing_starts, "The story failed: the bot did not connect. Last lines of Imker's log:\n  IMKER_SIGNING_KEY"),
    ],
)
def test_it_does_not_when_the_story_goes_otherwise(tmp_path: Path, trouble: object, says: str) -> None:
    assert callable(trouble)
    well, output = demo(free_port(), **trouble(tmp_path))
    assert (well, says in output) == (False, True), output


def test_it_boots_nothing_where_the_channels_address_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        well, output = demo(port)
    assert not well
    assert f"lab: port {port} is in use, perhaps by another demo." in output
    assert "SIMULATED" not in output


@pytest.mark.parametrize(("stay", "stays"), [("1", True), ("0", False), ("", False)])
def test_it_stays_only_when_asked_to(stay: str, stays: bool) -> None:
    result = subprocess.run([*MAKE, "-n", "demo", f"STAY={stay}"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ("--stay" in result.stdout) == stays


def staying(port: int, mark: str) -> "subprocess.Popen[str]":
    """Start a demo on simulated hosts, and wait until it only stays. `mark`: to find what it started."""
    argv = [sys.executable, "-m", "lab", "demo", "connewitz", "--stay", "--port", str(port)]
    settings = {**os.environ, "HOSTS_SIMULATED": "1", "PYTHONUNBUFFERED": "1", "IMKER_TEST_MARK": mark}
    demo = subprocess.Popen(argv, env=settings, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert any("Everything keeps running" in line for line in demo.stdout)
    return demo


def started(mark: str) -> dict[int, str]:
    """Return PID and command line of all processes that have the mark in their environment."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if f"IMKER_TEST_MARK={mark}".encode() in (process / "environ").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
    return found


@pytest.fixture
def mark() -> Iterator[str]:
    """Return a mark for a demo; end whatever has it after the test."""
    mark = uuid4().hex
    yield mark
    for pid in started(mark):
        os.kill(pid, signal.SIGKILL)


def left_after(mark: str, seconds: float) -> list[str]:
    """Return the command lines of what is left when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := started(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return list(left.values())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_whose_terminal_closes_ends_all_that_it_started(
    signum: signal.Signals, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    port = free_port()
    demo = staying(port, mark)
    assert len(started(mark)) > 6, "the demo, Slack, four processes, Redis"
    demo.send_signal(signum)
    demo.communicate(timeout=60)
    assert demo.returncode == 128 + signum
    assert left_after(mark, 10) == []
    assert list(tmp_path.glob("imker-demo-*")) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_demo_that_is_killed_leaves_no_process(mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    demo = staying(free_port(), mark)
    demo.kill()
    demo.communicate(timeout=60)
    assert left_after(mark, 30) == []
