"""Run Imker's four processes as one: when one ends, or at SIGTERM or SIGINT, stop the others."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial

from imker import service_manager
from imker.process import end_with_parent
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE

PROCESSES = {
    "bot": ("bot",),
    "reconciler": ("bot.reconciler",),
    "changes": ("jobs", CHANGES_QUEUE),
    "reads": ("jobs", READS_QUEUE),
}  # name -> module and arguments
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
POLL_INTERVAL = 0.2  # seconds
STOP_TIMEOUT = 40 * 60  # seconds that a running job gets to finish
HINT_AFTER = 5  # seconds of waiting before the user is told why
Children = Mapping[str, "subprocess.Popen[bytes]"]


def check_configuration() -> int:
    """Check the configuration in a process of its own, so that this one stays small. Return its exit status."""
    return subprocess.run(_python("imker_cli", "check", "--quiet")).returncode


def run() -> int:
    """Run the processes. Return 0 when they were stopped by a signal, 1 when one ended."""
    signals: list[int] = []
    for signum in STOP_SIGNALS:
        signal.signal(signum, lambda number, _: signals.append(number))
    children = {name: _start(arguments) for name, arguments in PROCESSES.items()}
    service_manager.notify(service_manager.READY)
    while not signals and not _ended(children):
        service_manager.notify(service_manager.ALIVE)
        time.sleep(POLL_INTERVAL)
    service_manager.notify(service_manager.STOPPING)
    ended = "" if signals else _ended(children)
    if ended:
        _say(f"{ended} ended with exit status {children[ended].returncode}; stopping the other processes")
    _stop(children, signals)
    return int(bool(ended))


def _start(arguments: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    """Start a process in a group of its own: Ctrl-C reaches only this process, which then stops the others in order."""
    return subprocess.Popen(
        _python(*arguments),
        env={name: value for name, value in os.environ.items() if name != service_manager.SOCKET_VARIABLE},
        process_group=0,
        preexec_fn=partial(end_with_parent, signal.SIGTERM, os.getpid()),
    )


def _python(*arguments: str) -> list[str]:
    """Return the command line of a module. `-P`: a folder named `bot` or `jobs` in this folder is not Imker's."""
    return [sys.executable, "-P", "-m", *arguments]


def _ended(children: Children) -> str:
    """Return the name of a process that ended, "" if all are running."""
    return next((name for name, child in children.items() if child.poll() is not None), "")


def _stop(children: Children, signals: list[int]) -> None:
    """Terminate the processes and wait for a running job. A second signal, or the timeout, kills them."""
    received, started_at, is_hinted = len(signals), time.monotonic(), False
    for child in children.values():
        child.terminate()
    while running := [name for name, child in children.items() if child.poll() is None]:
        waited = time.monotonic() - started_at
        if len(signals) > received or waited > STOP_TIMEOUT:
            for name in running:
                children[name].kill()
        if waited > HINT_AFTER and not is_hinted:
            is_hinted = True
            _say(f"{', '.join(running)}: waiting for the running job; press Ctrl-C to kill it")
        time.sleep(POLL_INTERVAL)


def _say(text: str) -> None:
    print(f"imker up: {text}", file=sys.stderr, flush=True)
