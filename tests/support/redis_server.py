"""Run a Redis server as REDIS_URL names it, to kill, restart, and break. Needs no root."""

import contextlib
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from imker import embedded_redis

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class RedisServer:
    """A server with an AOF. `fsync`: with "always", a full disk stops the server; with "everysec", writes fail.

    `port`: a TCP port on loopback, for replicas; 0 for none.
    """

    def __init__(self, folder: Path, fsync: str = "everysec", port: int = 0) -> None:
        self._folder = folder
        self._fsync = fsync
        self.port = port
        self.socket = folder / "own.sock"
        self.url = f"unix://{folder}/own.sock?db=0"
        self.redis = Redis(unix_socket_path=f"{folder}/own.sock")
        self.start()

    def start(self) -> None:
        argv = [
            str(embedded_redis.program()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            str(self.socket),
        ]
        persistence = ["--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", self._fsync, "--save", ""]
        # What Python ignores stays ignored: a file that may not grow is then an error to the server, and not its end.
        self.process = subprocess.Popen([*argv, *persistence], stdout=subprocess.DEVNULL, restore_signals=False)
        deadline = time.monotonic() + 10
        while not self._responds():
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    # --- what breaks it, and heals it ---

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def fill_memory(self) -> None:
        self.redis.config_set("maxmemory", "1mb")

    def make_room(self) -> None:
        self.redis.config_set("maxmemory", "0")

    def replicate(self) -> None:
        """Make it a replica of a server that does not exist, so that it keeps its data."""
        self.redis.replicaof("127.0.0.1", 1)

    def lead(self) -> None:
        self.redis.replicaof("NO", "ONE")

    def miss_replicas(self) -> None:
        self.redis.config_set("min-replicas-to-write", "1")

    def need_none(self) -> None:
        self.redis.config_set("min-replicas-to-write", "0")

    def fill_disk(self) -> None:
        """Forbid its files to grow, and wait until a write fails."""
        largest = max(path.stat().st_size for path in self._folder.glob("appendonlydir/*"))
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        deadline = time.monotonic() + 10
        while self._takes_writes():
            assert time.monotonic() < deadline, "the disk is not full"
            time.sleep(0.05)

    def empty_disk(self) -> None:
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        deadline = time.monotonic() + 10
        while not self._takes_writes():
            assert time.monotonic() < deadline, "the disk has room again"
            time.sleep(0.05)

    def _responds(self) -> bool:
        with contextlib.suppress(RedisError):
            return bool(self.redis.ping())
        return False

    def _takes_writes(self) -> bool:
        with contextlib.suppress(RedisError):
            return bool(self.redis.set("test:probe", "x" * 100))
        return False


@contextmanager
def run_redis(folder: Path, fsync: str = "everysec", port: int = 0) -> Iterator[RedisServer]:
    folder.mkdir(exist_ok=True)
    server = RedisServer(folder, fsync, port)
    try:
        yield server
    finally:
        server.redis.close()
        server.kill()
