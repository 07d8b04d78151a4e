"""A job in a process of its own that is killed at a boundary of its plan. No test."""

import os
import signal
import time
from pathlib import Path

from redis import Redis

from imker import failpoints
from imker.failpoints import Failpoint
from imker.protocol.codec import decode_request
from imker.protocol.commands import Request
from jobs import run, settings
from jobs.connectors.engine import Engine
from jobs.connectors.ssh import SshShell
from jobs.context import JobContext
from jobs.events.writer import EventWriter
from jobs.inventory import hosts
from jobs.inventory.model import Host
from tests.support import streams


def run_killable_job(request: str, config: Path, socket: str, point: Failpoint, times: int) -> None:
    """The process is gone when it comes to the point after so many times, or before its last word."""
    decoded, redis = decode_request(request), Redis(unix_socket_path=socket)
    journal = EventWriter(redis, streams.KEY, decoded.run, decoded.job, time.time)
    failpoints.on_failpoint = _kill_at(point, times)
    run.run_handler(decoded, journal, lambda: _open_context(decoded, journal, redis, settings.load_settings(config)))


def _kill_at(last: Failpoint, times: int) -> failpoints.FailpointHook:
    message: list[Failpoint] = []

    def crossed(point: Failpoint) -> None:
        if (point == last and message.count(point) == times) or point == "job.ending":
            os.kill(os.getpid(), signal.SIGKILL)
        message.append(point)

    return crossed


def _open_context(request: Request, journal: EventWriter, redis: Redis, loaded: settings.Settings) -> JobContext:
    def shell(host: Host) -> SshShell:
        return SshShell(host, loaded.inventory.known_hosts)

    return JobContext(request, loaded, hosts.load_inventory(loaded), journal, redis, shell, Engine)
