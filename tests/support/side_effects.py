"""Record the processes and connections that the main thread starts, to keep them out of the fast tests."""

import sys
import threading
from typing import Any

EVENTS = ("subprocess.Popen", "os.fork", "os.posix_spawn", "socket.connect", "socket.bind")
recorded: list[str] = []


def install_recorder() -> None:
    """Record side effects until this process exits: an audit hook cannot be removed."""
    sys.addaudithook(_record)


def _record(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS and threading.current_thread() is threading.main_thread():
        recorded.append(f"{event}: {arguments[1] if len(arguments) > 1 else ''}")
