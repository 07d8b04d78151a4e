"""The fake Slack as a separate process, for a test or the demo."""

import atexit
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from imker.process import end_with_parent
from lab.slack.client import Workspace
from lab.slack.patience import PATIENCE, VARIABLE

START_TIMEOUT = 60  # seconds; a busy machine takes more than 15 to start Python
RESERVABLE_PORTS = range(20000, 32768)  # below those that Linux chooses from
_reservations: list[socket.socket] = []


@atexit.register
def _release_ports() -> None:
    for reservation in _reservations:
        reservation.close()


@contextmanager
def run_fake_slack(
    port: int = 0, config: Path | None = None, patience: float = PATIENCE, address: str = "127.0.0.1"
) -> Iterator[Workspace]:
    """Run the fake Slack until the block ends, on a free port by default. `patience`: see lab.slack.patience."""
    port = port or free_port()
    config_arguments = ["--config", str(config)] if config else []
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "slack", "--address", address, "--port", str(port), *config_arguments],
        env={**os.environ, VARIABLE: str(patience)},
        stdout=subprocess.DEVNULL,
        preexec_fn=partial(end_with_parent, signal.SIGTERM, os.getpid()),
    )
    workspace = Workspace(f"http://{address}:{port}")
    try:
        _wait_until_ready(workspace, process)
        yield workspace
    finally:
        workspace.close()
        process.terminate()
        process.wait(10)


def free_port() -> int:
    """Return a TCP port without a server, and reserve it for this process until it exits.

    Test processes run side by side. The port is none that the kernel chooses for connections and servers, and a UDP
    socket with the same number, which the kernel closes with the process, keeps other callers away.
    """
    for port in random.sample(RESERVABLE_PORTS, len(RESERVABLE_PORTS)):
        reservation = socket.socket(type=socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
        else:
            _reservations.append(reservation)
            return port
    raise RuntimeError("no free port")


def _wait_until_ready(workspace: Workspace, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            workspace.calls()
            return
        except httpx.TransportError:
            time.sleep(0.05)
    reason = f"no reply within {START_TIMEOUT} s" if process.poll() is None else f"exit status {process.returncode}"
    raise RuntimeError(f"the fake Slack did not start: {reason}")
