"""Imker's four processes, started as its Procfile says, for the demo and the tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from imker.process import end_with_parent

STOP_TIMEOUT = 15  # seconds that a process gets to exit


@dataclass
class Processes:
    """Running processes by their Procfile names. `environment` is added to the environment of each."""

    environment: Mapping[str, str]
    log: Path
    by_name: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str) -> None:
        words = read_procfile()[name].split()
        with self.log.open("ab") as log:
            self.by_name[name] = subprocess.Popen(
                [sys.executable, *words[1:]],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                preexec_fn=partial(end_with_parent, signal.SIGTERM, os.getpid()),
            )

    def kill(self, name: str) -> None:
        """Send SIGKILL to a process, as a power failure would end it."""
        self.by_name[name].send_signal(signal.SIGKILL)
        self.by_name.pop(name).wait()

    def stop(self) -> None:
        for process in self.by_name.values():
            process.terminate()
        for process in self.by_name.values():
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def read_procfile() -> dict[str, str]:
    """Return the command line of each process by its name."""
    return dict(line.split(": ", 1) for line in Path("Procfile").read_text().splitlines() if line)


def imker_environment(slack_url: str, config: Path, state_dir: Path) -> dict[str, str]:
    """Return the environment variables that a user would set.

    `slack_url` is the address of the fake Slack. `state_dir` holds the embedded Redis; its path has to be short.
    """
    return {
        "SLACK_BOT_TOKEN": "xoxb-lab",
        "SLACK_APP_TOKEN": "xapp-lab",
        "SLACK_API_URL": f"{slack_url}/api/",
        "IMKER_CONFIG": str(config),
        "IMKER_STATE": str(state_dir),
        "REDIS_URL": "",
    }


@contextmanager
def run_imker(settings: Mapping[str, str], log: Path) -> Iterator[Processes]:
    """Run the four processes until the block ends."""
    processes = Processes(settings, log)
    try:
        for name in read_procfile():
            processes.start(name)
        yield processes
    finally:
        processes.stop()
