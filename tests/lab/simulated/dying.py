"""A job in a process of its own that is killed at a boundary of its plan. No test."""

import os
import signal
import time
from pathlib import Path

from redis import Redis

from imker import fault
from imker.fault import Point
from jobs import inventory, run, settings
from jobs.contract import Request, decode_request
from jobs.engine import Engine
from jobs.inventory import Host
from jobs.journal import Journal
from jobs.office import Office
from jobs.ssh import SshShell
from tests import streams


def job(request: str, config: Path, socket: str, point: Point, times: int) -> None:
    """The process is gone when it comes to the point after so many times, or before its last word."""
    asked, redis = decode_request(request), Redis(unix_socket_path=socket)
    journal = Journal(redis, streams.KEY, asked.run, asked.job, time.time)
    fault.crossed = _dying(point, times)
    run.tell_all(asked, journal, lambda: _office(asked, journal, redis, settings.load(config)))


def _dying(last: Point, times: int) -> fault.Crossed:
    seen: list[Point] = []

    def crossed(point: Point) -> None:
        if (point == last and seen.count(point) == times) or point == "job.ending":
            os.kill(os.getpid(), signal.SIGKILL)
        seen.append(point)

    return crossed


def _office(request: Request, journal: Journal, redis: Redis, loaded: settings.Settings) -> Office:
    def shell(host: Host) -> SshShell:
        return SshShell(host, loaded.inventory.known_hosts)

    return Office(request, loaded, inventory.load(loaded), journal, redis, shell, Engine)
