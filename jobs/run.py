"""Run a job: admit it, dispatch its command to a handler, and always emit an outcome.

In: a signed request. Out: events. `run` is the only function that an RQ worker calls.
"""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import redis
import structlog

from imker import audit_log, redis_connection, signing
from imker.audit_log import AuditLog
from imker.config import AcceptanceRules
from imker.failpoints import failpoint
from imker.protocol import codec, commands, version
from imker.protocol.events import Event
from imker.protocol.watch_commands import WatchCommand
from imker.secret_files import read_secret
from jobs import admission, settings
from jobs.connectors.engine import Engine
from jobs.connectors.ssh import SshShell
from jobs.context import JobContext, share_connections
from jobs.errors import InternalError, JobError
from jobs.events.audit import audit_listener, fact_for_rejection
from jobs.events.log import log_event
from jobs.events.writer import EventWriter
from jobs.handlers import dispatch
from jobs.inventory import hosts, model
from jobs.inventory.model import Host
from jobs.outcome import as_job_error, describe_failure

log = structlog.get_logger()
WATCH_RETENTION = 600  # seconds that the events of a look stay in Redis


@cache
def settings_once() -> settings.Settings:
    """Load the settings once per process. Raises ConfigError with a line for each problem."""
    return settings.load_settings()


def publish_inventory(
    redis_client: "redis.Redis", key: signing.SigningKey, inventory: model.Inventory, rights: AcceptanceRules
) -> None:
    """Publish the host names and the acceptance rules, signed, for the bot's suggestions and its doctor.

    Called at each start and with each job, because Redis may have lost its data.
    """
    values = {
        version.INVENTORY_KEY: json.dumps(sorted(inventory)),
        version.ACCEPTANCE_RULES_KEY: rights.model_dump_json(),
    }
    for name, text in values.items():
        redis_client.set(name, signing.sign_for(key, name, text))


def run(*arguments: Any, **_: Any) -> None:
    """Run a job. `arguments`: the request's JSON and its signature.

    Raises JobRejected or UnsupportedVersion for a job that must not run, after adding that to the audit log. Every
    other outcome is an event of the run.
    """
    request_json, signature, *_ignored = *arguments, "", ""
    redis_client, audit = _connect()
    failpoint("job.started")
    key = signing.load_signing_key()
    try:
        request = admission.admit(request_json, signature, key, redis_client, time.time())
    except (admission.JobRejected, codec.UnsupportedVersion) as rejection:
        log.warning("job rejected", reason=str(rejection))
        audit.append(fact_for_rejection(request_json, str(rejection)))
        raise
    failpoint("job.admitted")
    events = _event_writer(request, redis_client, key, audit)
    run_handler(request, events, lambda: _open_context(request, events, redis_client))
    failpoint("job.finished")


def _event_writer(
    request: commands.Request, redis_client: "redis.Redis", key: signing.SigningKey, audit: AuditLog
) -> EventWriter:
    """Return the writer of the job's events. The watch's looks change nothing, and would fill the audit log."""
    if isinstance(request.command, WatchCommand):
        return EventWriter(redis_client, key, request.run, request.job, time.time, retention=WATCH_RETENTION)
    return EventWriter(redis_client, key, request.run, request.job, time.time, _listener(audit, request))


def _listener(audit: AuditLog, request: commands.Request) -> Callable[[Event], None]:
    record = audit_listener(audit, request)

    def listen(event: Event) -> None:
        record(event)
        log_event(event, request)

    return listen


def reject(reason: str, *_: Any, **__: Any) -> None:
    """Stand in for a function that no RQ worker may run. Adds the rejection to the audit log, raises JobRejected."""
    log.warning("job rejected", reason=reason)
    audit = _connect()[1]
    audit.append(fact_for_rejection("", reason))
    raise admission.JobRejected(reason)


def _connect() -> tuple["redis.Redis", AuditLog]:
    redis_client = redis_connection.connect(read_secret("REDIS_URL"), redis_connection.WORKER_RETRIES)
    return redis_client, AuditLog(redis_client, audit_log.read_audit_key())


def run_handler(request: commands.Request, events: EventWriter, open_context: Callable[[], JobContext]) -> None:
    """Dispatch the command, and emit an outcome whatever happens."""
    with structlog.contextvars.bound_contextvars(run=request.run, job=request.job):
        try:
            with share_connections(open_context()) as context:
                dispatch(request.command, context)
        except InternalError as error:
            log.exception("internal error")
            events.emit(describe_failure(request, events, error))
        except JobError as error:
            log.warning("job failed", summary=error.summary)
            events.emit(describe_failure(request, events, error))
        except Exception as error:
            log.exception("internal error")
            job_error = as_job_error(error, getattr(request.command, "host", ""))
            events.emit(describe_failure(request, events, job_error))


def _open_context(request: commands.Request, events: EventWriter, redis_client: "redis.Redis") -> JobContext:
    configuration = settings_once()

    def open_shell(host: Host) -> SshShell:
        return SshShell(host, configuration.inventory.known_hosts)

    # Read docker-machine's store for each job, because an earlier migration may have cleaned it.
    hosts_by_name = hosts.load_inventory(configuration)
    publish_inventory(redis_client, signing.load_signing_key(), hosts_by_name, configuration.rights)
    return JobContext(request, configuration, hosts_by_name, events, redis_client, open_shell, Engine)
