"""Measure with simulated hosts: how cost grows with the fleet, and the memory of the idle processes."""

import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from bench import imker_run
from bench.report import SCALE, Figures
from lab.processes import Processes
from lab.slack.client import Workspace
from lab.story import ALICE, OPS

TICKS_PER_SECOND = 100  # of /proc/PID/stat on Linux
IDLE_SECONDS = 20  # until the processes are idle
MIGRATION_TIMEOUT, START_TIMEOUT = 3600, 600  # seconds; the keys and certificates of 500 hosts take minutes
AT_ONCE, COMMANDS = 20, 400
Say = Callable[[str], None]


def measure(rounds: int, say: Say, sizes: tuple[int, ...] = SCALE) -> Figures:
    """Measure each fleet once for the migration and `rounds` times for reads."""
    figures = Figures()
    with _simulated(2, parallel=2) as config, imker_run.running(config) as (workspace, processes):
        time.sleep(IDLE_SECONDS)
        figures.add("memory of all processes", sum(map(_memory, _process_ids(processes))))
        figures.add(f"acknowledgement, {AT_ONCE} commands at once, p99", _acknowledgement(workspace))
    for size in sizes:
        say(f"{size} simulated hosts")
        with _simulated(size, parallel=8) as config, imker_run.running(config) as (workspace, processes):
            for _ in range(rounds):
                name = f"{size} simulated hosts: /swarm hosts"
                figures.add(name, imker_run.seconds_of(workspace, "/swarm hosts"))
            try:
                _migrate(figures, size, workspace, processes)
            except (imker_run.UnexpectedMessage, TimeoutError) as error:
                figures.note_failure(f"{size} simulated hosts: migration", str(error))
    return figures


def _acknowledgement(workspace: Workspace) -> float:
    """Return the 99th percentile of the seconds until a command is acknowledged."""

    def say(number: int) -> float:
        return float(workspace.say(ALICE, OPS, "/swarm help" if number % 10 else "/swarm nodes")["seconds"])

    with ThreadPoolExecutor(AT_ONCE) as people:
        return quantiles(people.map(say, range(COMMANDS)), n=100)[98]


def _migrate(figures: Figures, size: int, workspace: Workspace, processes: Processes) -> None:
    cpu_before, calls_before = _cpu_seconds(processes), len(workspace.calls())
    began = time.monotonic()
    message = imker_run.plan_fleet(workspace)
    figures.add(f"{size} simulated hosts: plan", time.monotonic() - began)
    workspace.press(ALICE, message, "Start")
    accepted: set[str] = set()
    deadline = time.monotonic() + MIGRATION_TIMEOUT
    while time.monotonic() < deadline:
        visible = imker_run.accept_new_managers(workspace, accepted)
        fleet = next(seen for seen in visible if seen.ts == message.ts)
        if fleet.text[:1] in imker_run.FINAL_MARKS:
            break
        time.sleep(0.5)
    if fleet.text[:1] != "✅":
        raise imker_run.UnexpectedMessage(f"the fleet was not migrated: {fleet.text.splitlines()[0]}")
    took = time.monotonic() - began
    figures.add(f"{size} simulated hosts: migration", took)
    figures.add(f"{size} simulated hosts: CPU per host", (_cpu_seconds(processes) - cpu_before) / size)
    calls = workspace.calls()[calls_before:]
    figures.add(f"{size} simulated hosts: Slack calls a second", len(calls) / took)
    figures.add(f"{size} simulated hosts: posts in 2 s", most_at_once(calls, "chat.postMessage"))
    figures.add(f"{size} simulated hosts: edits in 2 s", most_at_once(calls, "chat.update"))


def most_at_once(calls: list[dict[str, Any]], method: str, seconds: float = 2) -> int:
    """Return the most calls of a method within any such number of seconds."""
    times = sorted(call["at"] for call in calls if call["method"] == method)
    return max((bisect_left(times, began + seconds) - number for number, began in enumerate(times)), default=0)


@contextmanager
def _simulated(size: int, parallel: int) -> Iterator[Path]:
    """Run simulated hosts in a process of their own and yield the path of their imker.toml."""
    with tempfile.TemporaryDirectory(prefix="imker-h-") as folder:
        argv = [sys.executable, "-m", "lab", "simulated", "up", str(size), "--folder", folder]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            try:
                config = Path(folder) / "imker.toml"
                deadline = time.monotonic() + START_TIMEOUT
                while not config.exists() and time.monotonic() < deadline:
                    time.sleep(0.1)
                config.write_text(f"{config.read_text()}\n[fleet]\nparallel = {parallel}\n")
                yield config
            finally:
                process.terminate()


def _process_ids(processes: Processes) -> list[int]:
    """Return the four processes and their children, without the embedded Redis."""
    return [pid for process in processes.by_name.values() for pid in (process.pid, *_children(process.pid))]


def _children(pid: int) -> list[int]:
    return [
        child
        for task in Path(f"/proc/{pid}/task").iterdir()
        for word in (task / "children").read_text().split()
        for child in (int(word), *_children(int(word)))
    ]


def _memory(pid: int) -> float:
    """Return a process's proportional share of memory, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _cpu_seconds(processes: Processes) -> float:
    """Return the CPU time of all processes and of the children that have ended."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in _process_ids(processes))
    return sum(sum(map(int, fields[11:15])) for fields in stats) / TICKS_PER_SECOND
