"""Imker's four processes under a supervisor that starts them again, and ways to kill them and what they started."""

import os
import signal
import threading
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from lab.imker import Processes, procfile

AGAIN = 0.3  # seconds until what died is started again


class Supervised:
    """As systemd would: whatever ends is started again until `stop`."""

    def __init__(self, processes: Processes, state: Path) -> None:
        self.processes = processes
        self.redis = Redis(unix_socket_path=str(state / "redis.sock"))
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.by_itself: list[str] = []  # processes that ended without having been killed

    def start(self) -> None:
        for name in procfile():
            self.processes.start(name)
        self._thread = threading.Thread(target=self._watch, name="supervisor")
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        with self._lock:
            self.processes.stop()
        self._thread.join()  # last: the processes that it started end with it
        self.redis.close()

    def kill(self, name: str) -> str:
        """SIGKILL to one of the four."""
        with self._lock:
            if name not in self.processes.running:
                return ""
            self.processes.kill(name)
        return name

    def kill_worker(self) -> str:
        """SIGKILL to an RQ worker that changes hosts, if there is one; rather one that has a job."""
        workers = self._children(self.processes.running.get("changes"))
        busy = [pid for pid in workers if children(pid)]
        return _killed((busy or workers)[:1])

    def kill_job(self) -> str:
        """SIGKILL to the process of a job that changes hosts."""
        workers = self._children(self.processes.running.get("changes"))
        return _killed([job for worker in workers for job in children(worker)][:1])

    def kill_redis(self) -> str:
        try:
            return _killed([int(self.redis.info("server")["process_id"])])
        except RedisError:
            return ""

    def _children(self, process: object) -> list[int]:
        pid = getattr(process, "pid", None)
        return children(pid) if isinstance(pid, int) else []

    def _watch(self) -> None:
        while not self._over.wait(AGAIN):
            with self._lock:
                if self._over.is_set():
                    return
                for name, process in list(self.processes.running.items()):
                    if process.poll() is not None:
                        self.by_itself.append(f"{name} ended with {process.returncode}")
                        del self.processes.running[name]
                for name in procfile():
                    if name not in self.processes.running:
                        self.processes.start(name)


def children(parent: int) -> list[int]:
    """PIDs of a process's own children that have not ended, oldest first."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, ppid = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue  # it ended while we looked
            if int(ppid) == parent and state != "Z":
                found.append(int(folder.name))
    return sorted(found)


def _killed(pids: list[int]) -> str:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return ""
    return ", ".join(map(str, pids))
