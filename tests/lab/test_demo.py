"""`make demo` on simulated hosts: its output and its exit status."""

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
from tests.support.demo import MAKE, ROOT, run_demo

pytestmark = pytest.mark.processes


def test_demo_succeeds_when_the_swarm_is_in_the_expected_state() -> None:
    succeeded, output = run_demo(free_port())
    assert succeeded, output
    assert "These hosts are SIMULATED" in output
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for line in (
        "alice: /swarm migrate connewitz --manager",
        "[Accept] [Reject]",
        "bob is notified:",
        "✋ @bob: `tondi` is waiting to be accepted as a manager.",
        "alice chooses “plan” and “connewitz” in the form, and presses Run",
        "bob opens Home",
        "Waiting for you",
        "bob presses Accept",
        "alice opens Home",
        "✅ 3 nodes, all Ready",
        "ID HOSTNAME MEMBERSHIP STATUS AVAILABILITY MANAGER STATUS ENGINE",
        "The swarm is in the expected state.",
    ):
        assert any(printed.startswith(line) for printed in lines), output


def kill_a_job(folder: Path) -> dict[str, str]:
    (folder / "job.started").touch()
    return {"IMKER_FAULTS": str(folder)}


def break_the_start(_: Path) -> dict[str, str]:
    return {"IMKER_SIGNING_KEY": "short"}


@pytest.mark.parametrize(
    ("trouble", "expected_text"),
    [
        (kill_a_job, "The story failed: the last message should say '3 hosts'"),
        (break_the_start, "The story failed: the bot did not connect. Last lines of Imker's log:\n  IMKER_SIGNING_KEY"),
    ],
)
def test_demo_fails_when_the_story_fails(tmp_path: Path, trouble: object, expected_text: str) -> None:
    assert callable(trouble)
    succeeded, output = run_demo(free_port(), **trouble(tmp_path))
    assert (succeeded, expected_text in output) == (False, True), output


def test_boots_no_host_when_the_port_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        succeeded, output = run_demo(port)
    assert not succeeded
    assert f"lab: port {port} is in use, perhaps by another demo." in output
    assert "SIMULATED" not in output


@pytest.mark.parametrize(("stay", "stays"), [("1", True), ("0", False), ("", False)])
def test_keeps_running_only_with_stay(stay: str, stays: bool) -> None:
    result = subprocess.run([*MAKE, "-n", "demo", f"STAY={stay}"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ("--stay" in result.stdout) == stays


def start_staying_demo(port: int, mark: str) -> "subprocess.Popen[str]":
    """Start a demo with --stay and wait until the story has ended. `mark` identifies its processes."""
    argv = [sys.executable, "-m", "lab", "demo", "connewitz", "--stay", "--port", str(port)]
    settings = {**os.environ, "HOSTS_SIMULATED": "1", "PYTHONUNBUFFERED": "1", "IMKER_TEST_MARK": mark}
    demo = subprocess.Popen(argv, env=settings, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert any("Everything keeps running" in line for line in demo.stdout)
    return demo


def marked_processes(mark: str) -> dict[int, str]:
    """Return PID and command line of all processes with the mark in their environment."""
    command_lines = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it exited meanwhile, or belongs to another user
            if f"IMKER_TEST_MARK={mark}".encode() in (process / "environ").read_bytes():
                command_lines[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
    return command_lines


@pytest.fixture
def mark() -> Iterator[str]:
    """Return a mark for a demo. After the test, kill all processes that have it."""
    mark = uuid4().hex
    yield mark
    for pid in marked_processes(mark):
        os.kill(pid, signal.SIGKILL)


def remaining_after(mark: str, seconds: float) -> list[str]:
    """Return the command lines of processes that still run after that many seconds."""
    deadline = time.monotonic() + seconds
    while (remaining := marked_processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return list(remaining.values())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_stops_everything_when_the_terminal_closes(
    signum: signal.Signals, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    port = free_port()
    demo = start_staying_demo(port, mark)
    assert len(marked_processes(mark)) > 6, "the demo, Slack, four processes, Redis"
    demo.send_signal(signum)
    demo.communicate(timeout=60)
    assert demo.returncode == 128 + signum
    assert remaining_after(mark, 10) == []
    assert list(tmp_path.glob("imker-demo-*")) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_killed_demo_leaves_no_process(mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    demo = start_staying_demo(free_port(), mark)
    demo.kill()
    demo.communicate(timeout=60)
    assert remaining_after(mark, 30) == []
