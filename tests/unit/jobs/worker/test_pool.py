"""Several children as one process: each works, a dead one is replaced, none outlives the crew, and it does not spin."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys
from pathlib import Path
from jobs.worker import pool

pool.RESTART_DELAY = 0.3
folder = Path(sys.argv[1])

def work():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # a sleep would miss one that comes right before it
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
        raise ValueError("why it broke") from None
    signal.pause()

sys.exit(pool.run_pool(2, work))
"""


@dataclass
class Crew:
    process: "subprocess.Popen[bytes]"
    folder: Path

    def pids(self, word: str) -> set[int]:
        return {int(path.name.split("-")[1]) for path in self.folder.glob(f"{word}-*")}


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)]) as process:
        started = Crew(process, tmp_path)
        until(lambda: len(started.pids("began")) == 2)
        yield started
        process.kill()
        until(lambda: not any(map(alive, started.pids("began"))))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_each_child_gets_the_signal_and_the_crew_ends_when_all_have(crew: Crew) -> None:
    crew.process.send_signal(signal.SIGTERM)
    assert crew.process.wait(20) == 0
    assert crew.pids("ended") == crew.pids("began"), "to end after its job is each child's own to do"


def test_a_child_that_died_is_replaced_and_the_others_go_on(crew: Crew) -> None:
    dead, other = crew.pids("began")
    os.kill(dead, signal.SIGKILL)
    until(lambda: len(crew.pids("began")) == 3)
    assert alive(other)
    assert crew.process.poll() is None


def test_to_end_while_a_dead_child_is_being_replaced_is_to_end(crew: Crew) -> None:
    dead, other = crew.pids("began")
    os.kill(dead, signal.SIGKILL)
    crew.process.send_signal(signal.SIGTERM)
    assert crew.process.wait(20) == 0
    assert crew.pids("began") == {dead, other}, "nobody was put in its place"


def test_a_crew_that_is_killed_leaves_nobody_behind(crew: Crew) -> None:
    crew.process.kill()
    until(lambda: crew.pids("ended") == crew.pids("began"))


def test_a_child_that_breaks_again_and_again_is_told_and_ends_the_crew_with_an_error(tmp_path: Path) -> None:
    """The other one is told to end first."""
    ended = subprocess.run([sys.executable, "-c", BREAKING, str(tmp_path)], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert (ended.stdout + ended.stderr).count("why it broke") == 5
    assert len(list(tmp_path.glob("began-*"))) == 6
