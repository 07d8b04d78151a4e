"""Run a job in its own process that is killed at a failpoint. Contains no tests."""

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
    """Run a job and kill the process when it reaches the failpoint after `times` passes, or before its outcome."""
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
