"""The one function an RQ worker runs: a Request in, Events out, and always a last word.

What is asked is decided by the command's type; what is done, by jobs.plan; how, by jobs.execute.
"""

import json
import os
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
from jobs import admission, settings
from jobs.connectors.engine import Engine
from jobs.connectors.ssh import SshShell
from jobs.context import JobContext
from jobs.errors import InternalError, JobError
from jobs.events.audit import audit_listener, fact_for_rejection
from jobs.events.writer import EventWriter
from jobs.handlers import dispatch
from jobs.inventory import hosts, model
from jobs.inventory.model import Host
from jobs.outcome import as_job_error, describe_failure

log = structlog.get_logger()


@cache
def settings_once() -> settings.Settings:
    """Reads the configuration, once a process. Raises imker.config.ConfigError with all that is wrong."""
    return settings.load_settings()


def publish_inventory(
    redis_client: "redis.Redis", key: signing.SigningKey, inventory: model.Inventory, rights: AcceptanceRules
) -> None:
    """For the bot's near misses and its doctor. At each start, and with each job: Redis may have been wiped."""
    told = {
        version.INVENTORY_KEY: json.dumps(sorted(inventory)),
        version.ACCEPTANCE_RULES_KEY: rights.model_dump_json(),
    }
    for place, text in told.items():
        redis_client.set(place, signing.sign_for(key, place, text))


def run(*arguments: Any, **_: Any) -> None:
    """A request's JSON and its signature. Raises Refused and UnknownContract for what may not be, and the record keeps

    that; every other end is an event of the run.
    """
    request_json, signature, *_more = *arguments, "", ""
    server, record = _connect()
    failpoint("job.started")
    key = signing.load_signing_key()
    try:
        request = admission.admit(request_json, signature, key, server, time.time())
    except (admission.JobRejected, codec.UnsupportedVersion) as rejection:
        log.warning("job refused", summary=str(rejection))
        record.append(fact_for_rejection(request_json, str(rejection)))
        raise
    failpoint("job.admitted")
    journal = EventWriter(server, key, request.run, request.job, time.time, audit_listener(record, request))
    run_handler(request, journal, lambda: _open_context(request, journal, server))
    failpoint("job.finished")


def reject(reason: str, *_: Any, **__: Any) -> None:
    """Instead of a function that no RQ worker runs. Raises Refused, which the record keeps."""
    log.warning("job refused", summary=reason)
    _connect()[1].append(fact_for_rejection("", reason))
    raise admission.JobRejected(reason)


def _connect() -> tuple["redis.Redis", AuditLog]:
    server = redis_connection.connect(os.environ.get("REDIS_URL"), redis_connection.WORKER_RETRIES)
    return server, AuditLog(server, audit_log.read_audit_key())


def run_handler(request: commands.Request, events: EventWriter, open_context: Callable[[], JobContext]) -> None:
    """Runs the command, and tells how it ended whatever happens."""
    with structlog.contextvars.bound_contextvars(run=request.run, job=request.job):
        try:
            dispatch(request.command, open_context())
        except InternalError as internal_error:
            log.exception("job broke")
            events.emit(describe_failure(request, events, internal_error))
        except JobError as error:
            log.warning("job failed", summary=error.summary)
            events.emit(describe_failure(request, events, error))
        except Exception as internal_error:
            log.exception("job broke")
            events.emit(
                describe_failure(request, events, as_job_error(internal_error, getattr(request.command, "host", "")))
            )


def _open_context(request: commands.Request, events: EventWriter, redis_client: "redis.Redis") -> JobContext:
    configuration = settings_once()

    def shell(host: Host) -> SshShell:
        return SshShell(host, configuration.inventory.known_hosts)

    # docker-machine's store is read anew: a migration before this one may have cleaned it.
    hosts_by_name = hosts.load_inventory(configuration)
    publish_inventory(redis_client, signing.load_signing_key(), hosts_by_name, configuration.rights)
    return JobContext(request, configuration, hosts_by_name, events, redis_client, shell, Engine)
