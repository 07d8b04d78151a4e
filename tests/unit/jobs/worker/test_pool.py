"""Check the pool: workers run, dead ones are restarted, none outlives the pool, restarts are limited."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

PROGRAM = """
import os, signal, sys
from pathlib import Path
from jobs.worker import pool

pool.RESTART_DELAY = 0.3
folder = Path(sys.argv[1])

def work():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # sleep would miss an earlier one
    (folder / f"began-{os.getpid()}").touch()
    signal.sigwait([signal.SIGTERM])
    (folder / f"ended-{os.getpid()}").touch()

sys.exit(pool.run_pool(2, work))
"""


BREAKING = """
import os, signal, sys
from pathlib import Path
from jobs.worker import pool

pool.RESTART_DELAY = 0.05
folder = Path(sys.argv[1])

def work():
    (folder / f"began-{os.getpid()}").touch()
    try:
        (folder / "works").touch(exist_ok=False)
    except FileExistsError:
        raise ValueError("worker fails on purpose") from None
    signal.pause()

sys.exit(pool.run_pool(2, work))
"""


ADOPTING = """
import ctypes, os, signal, sys, time
from pathlib import Path
from jobs.worker import pool

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
pool.RESTART_DELAY = 0.05
folder = Path(sys.argv[1])

def work():
    parent = os.getpid()
    if os.fork() == 0:
        (folder / f"orphan-{os.getpid()}").touch()
        while os.getppid() == parent:
            time.sleep(0.02)
        os._exit(3)
    (folder / f"began-{os.getpid()}").touch()
    signal.pause()

sys.exit(pool.run_pool(1, work))
"""


@dataclass
class Pool:
    process: "subprocess.Popen[bytes]"
    folder: Path

    def pids(self, word: str) -> set[int]:
        return {int(path.name.split("-")[1]) for path in self.folder.glob(f"{word}-*")}


@pytest.fixture
def running_pool(tmp_path: Path) -> Iterator[Pool]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)]) as process:
        started = Pool(process, tmp_path)
        wait_until(lambda: len(started.pids("began")) == 2)
        yield started
        process.kill()
        wait_until(lambda: not any(map(alive, started.pids("began"))))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_forwards_sigterm_and_exits_after_all_workers(running_pool: Pool) -> None:
    running_pool.process.send_signal(signal.SIGTERM)
    assert running_pool.process.wait(20) == 0
    assert running_pool.pids("ended") == running_pool.pids("began"), "each worker finishes its job first"


def test_restarts_a_dead_worker_and_keeps_the_others(running_pool: Pool) -> None:
    dead, other = running_pool.pids("began")
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: len(running_pool.pids("began")) == 3)
    assert alive(other)
    assert running_pool.process.poll() is None


def test_does_not_restart_a_worker_after_sigterm(running_pool: Pool) -> None:
    dead, other = running_pool.pids("began")
    os.kill(dead, signal.SIGKILL)
    running_pool.process.send_signal(signal.SIGTERM)
    assert running_pool.process.wait(20) == 0
    assert running_pool.pids("began") == {dead, other}, "the dead worker was not restarted"


def test_workers_end_with_a_killed_pool(running_pool: Pool) -> None:
    running_pool.process.kill()
    wait_until(lambda: running_pool.pids("ended") == running_pool.pids("began"))


def test_exits_with_an_error_if_a_worker_keeps_failing(tmp_path: Path) -> None:
    """The other worker is stopped first."""
    ended = subprocess.run([sys.executable, "-c", BREAKING, str(tmp_path)], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert (ended.stdout + ended.stderr).count("worker fails on purpose") == 5
    assert len(list(tmp_path.glob("began-*"))) == 6


def test_adopts_the_processes_of_a_killed_worker_as_the_first_process_of_a_container(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ADOPTING, str(tmp_path)]) as process:
        pool = Pool(process, tmp_path)
        wait_until(lambda: bool(pool.pids("began") and pool.pids("orphan")))
        (worker,), (orphan,) = pool.pids("began"), pool.pids("orphan")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(pool.pids("began")) == 2)
        wait_until(lambda: not Path(f"/proc/{orphan}").exists())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
