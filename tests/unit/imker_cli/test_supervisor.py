"""Supervise real processes: when one ends, or at a signal, all end."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imker_cli.supervisor import PROCESSES
from lab.processes import read_procfile

PATIENCE = 60  # seconds
CHILD = """
import pathlib, signal, sys, time
name, how = sys.argv[1:]
def stop(*_):
    pathlib.Path(name + ".stopped").touch()
    if how != "stubborn":
        sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(name + ".pid").write_text(str(__import__("os").getpid()))
while how != "ends" or not pathlib.Path("end").exists():
    time.sleep(0.05)
sys.exit(3)
"""
RUN = """
import sys
from imker_cli import supervisor
supervisor.PROCESSES = {name: ("child", name, how) for name, how in zip(sys.argv[1::2], sys.argv[2::2])}
sys.exit(supervisor.run())
"""


def test_starts_what_the_procfile_starts() -> None:
    assert {name: " ".join(("python -m", *words)) for name, words in PROCESSES.items()} == read_procfile()


@contextmanager
def supervised(folder: Path, **children: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the supervisor with these children and wait until all run. A value says how the child behaves."""
    (folder / "child.py").write_text(CHILD)
    words = [word for child in children.items() for word in child]
    argv = [sys.executable, "-c", RUN, *words]
    root = Path(__file__).parents[3]
    environment = {"PYTHONPATH": f"{folder}:{root}"}
    with subprocess.Popen(argv, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: all(pid_of(folder, name) for name in children))
            yield process
        finally:
            process.kill()


def pid_of(folder: Path, name: str) -> int:
    file = folder / f"{name}.pid"
    return int(file.read_text() or 0) if file.exists() else 0


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.processes
def test_stops_all_when_one_ends(tmp_path: Path) -> None:
    with supervised(tmp_path, first="ends", second="runs") as process:
        (tmp_path / "end").touch()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == "imker up: first ended with exit status 3; stopping the other processes\n"
    assert (tmp_path / "second.stopped").exists()


@pytest.mark.processes
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_with_0(tmp_path: Path, signum: signal.Signals) -> None:
    with supervised(tmp_path, first="runs", second="runs") as process:
        process.send_signal(signum)
        assert process.wait(PATIENCE) == 0
    assert (tmp_path / "first.stopped").exists()
    assert (tmp_path / "second.stopped").exists()


@pytest.mark.processes
def test_a_second_signal_kills_what_does_not_end(tmp_path: Path) -> None:
    with supervised(tmp_path, first="stubborn") as process:
        process.send_signal(signal.SIGTERM)
        wait_until((tmp_path / "first.stopped").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.processes
def test_no_child_survives_a_killed_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path, first="runs", second="runs") as process:
        process.kill()
        process.wait(PATIENCE)
        pids = [pid_of(tmp_path, name) for name in ("first", "second")]
        wait_until(lambda: not any(map(is_running, pids)))
