"""A supervisor of Imker's four processes that restarts them, and ways to kill them and their children."""

import os
import signal
import threading
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from lab.processes import Processes, read_procfile

RESTART_INTERVAL = 0.3  # seconds until a process is restarted


class Supervisor:
    """Restart every process that exits until `stop`, as systemd would."""

    def __init__(self, processes: Processes, state: Path) -> None:
        self.processes = processes
        self.redis = Redis(unix_socket_path=str(state / "redis.sock"))
        self._lock = threading.Lock()
        self._stop_requested = threading.Event()
        self.unexpected_exits: list[str] = []  # processes that exited without being killed

    def start(self) -> None:
        for name in read_procfile():
            self.processes.start(name)
        self._thread = threading.Thread(target=self._watch, name="supervisor")
        self._thread.start()

    def stop(self) -> None:
        self._stop_requested.set()
        with self._lock:
            self.processes.stop()
        self._thread.join()  # last, because the processes that this thread started exit with it
        self.redis.close()

    def kill(self, name: str) -> str:
        """Send SIGKILL to one of the four processes. Return its name, "" if it does not run."""
        with self._lock:
            if name not in self.processes.by_name:
                return ""
            self.processes.kill(name)
        return name

    def kill_worker(self) -> str:
        """Send SIGKILL to an RQ worker of `changes`, preferably one with a job."""
        workers = self._children(self.processes.by_name.get("changes"))
        busy = [pid for pid in workers if child_pids(pid)]
        return _kill_pids((busy or workers)[:1])

    def kill_job(self) -> str:
        """Send SIGKILL to the process of a job of `changes`."""
        workers = self._children(self.processes.by_name.get("changes"))
        return _kill_pids([job for worker in workers for job in child_pids(worker)][:1])

    def kill_redis(self) -> str:
        try:
            return _kill_pids([int(self.redis.info("server")["process_id"])])
        except RedisError:
            return ""

    def _children(self, process: object) -> list[int]:
        pid = getattr(process, "pid", None)
        return child_pids(pid) if isinstance(pid, int) else []

    def _watch(self) -> None:
        while not self._stop_requested.wait(RESTART_INTERVAL):
            with self._lock:
                if self._stop_requested.is_set():
                    return
                for name, process in list(self.processes.by_name.items()):
                    if process.poll() is not None:
                        self.unexpected_exits.append(f"{name} ended with {process.returncode}")
                        del self.processes.by_name[name]
                for name in read_procfile():
                    if name not in self.processes.by_name:
                        self.processes.start(name)


def child_pids(parent: int) -> list[int]:
    """Return the PIDs of running children of a process, oldest first."""
    pids = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, ppid = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue  # it exited meanwhile
            if int(ppid) == parent and state != "Z":
                pids.append(int(folder.name))
    return sorted(pids)


def _kill_pids(pids: list[int]) -> str:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return ""
    return ", ".join(map(str, pids))
