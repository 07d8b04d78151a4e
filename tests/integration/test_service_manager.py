"""Run each process as systemd does with Type=notify: it reports that it is ready, that it works, and that it stops."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.processes import imker_environment
from lab.slack.client import Workspace
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import PATIENCE, _write_config

MODULES = ("bot", "bot.reconciler", "jobs changes", "imker_cli up")


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as slack:
        yield slack


@contextmanager
def run_notifying(
    module: str, folder: Path, workspace: Workspace
) -> Iterator[tuple["subprocess.Popen[bytes]", socket.socket]]:
    """Start the process with a socket for its reports."""
    config = folder / "imker.toml" if (folder / "imker.toml").exists() else _write_config(folder, free_port())
    variables = imker_environment(workspace.url, config, folder / "redis")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reports, (folder / "log").open("ab") as log:
        name = f"imker-{os.getpid()}-{module.replace(' ', '-')}"
        reports.bind(f"\0{name}")
        reports.settimeout(PATIENCE)
        environment = {**os.environ, **variables, "NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "2000000"}
        argv = [sys.executable, "-m", *module.split()]
        with subprocess.Popen(argv, env=environment, stdout=log, stderr=log) as process:
            try:
                yield process, reports
            finally:
                process.terminate()


@pytest.mark.parametrize("module", MODULES)
def test_reports_its_state(module: str, folder: Path, workspace: Workspace) -> None:
    with run_notifying(module, folder, workspace) as (process, reports):
        assert reports.recv(100) == b"READY=1", (folder / "log").read_text()
        started_at = time.monotonic()
        for _ in range(3):
            assert reports.recv(100) == b"WATCHDOG=1"
        assert time.monotonic() - started_at < PATIENCE
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
