"""A Redis of the user's own, as REDIS_URL names it: killed, started again, and broken at will. No root needed."""

import contextlib
import resource
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
    """`fsync`: with "always" a server whose disk is full ends; with "everysec" it refuses all writes."""

    def __init__(self, folder: Path, fsync: str = "everysec") -> None:
        self._folder = folder
        self._fsync = fsync
        self.url = f"unix://{folder}/own.sock?db=0"
        self.redis = Redis(unix_socket_path=f"{folder}/own.sock")
        self.start()

    def start(self) -> None:
        argv = [str(embedded_redis.program()), "--port", "0", "--unixsocket", f"{self._folder}/own.sock"]
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

    def fill_memory(self) -> None:
        self.redis.config_set("maxmemory", "1mb")

    def make_room(self) -> None:
        self.redis.config_set("maxmemory", "0")

    def replicate(self) -> None:
        """Of a server that is not there, so that it keeps what it has."""
        self.redis.replicaof("127.0.0.1", 1)

    def lead(self) -> None:
        self.redis.replicaof("NO", "ONE")

    def miss_replicas(self) -> None:
        self.redis.config_set("min-replicas-to-write", "1")

    def need_none(self) -> None:
        self.redis.config_set("min-replicas-to-write", "0")

    def fill_disk(self) -> None:
        """Its files may not grow any more; the first write finds that out."""
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
def run_redis(folder: Path, fsync: str = "everysec") -> Iterator[RedisServer]:
    folder.mkdir(exist_ok=True)
    server = RedisServer(folder, fsync)
    try:
        yield server
    finally:
        server.redis.close()
        server.kill()
