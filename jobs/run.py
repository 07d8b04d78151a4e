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
from redis.exceptions import RedisError

from imker import audit, broker, signing
from imker.audit import Audit, RecordBroken
from imker.config import ConfigError
from imker.fault import fault
from imker.outage import outage
from jobs import (
    changes,
    containers,
    contract,
    doctor,
    fleet_plan,
    gate,
    inventory,
    outlook,
    reads,
    retirement,
    settings,
)
from jobs.account import recording, turned_away
from jobs.engine import Engine
from jobs.errors import Broke, Cancelled, JobError
from jobs.execute.back import Restored
from jobs.inventory import Host
from jobs.journal import Journal
from jobs.office import Office
from jobs.ssh import SshShell
from jobs.typed import typed

log = structlog.get_logger()


@cache
def prepare() -> settings.Settings:
    """Reads the configuration, once a process. Raises imker.config.ConfigError with all that is wrong."""
    return settings.load()


def tell_hosts(
    server: "redis.Redis", key: signing.Key, known: inventory.Inventory, rights: settings.RightsSection
) -> None:
    """For the bot's near misses and its doctor. At each start, and with each job: Redis may have been wiped."""
    told = {contract.INVENTORY: json.dumps(sorted(known)), contract.ACCEPTING: rights.model_dump_json()}
    for place, text in told.items():
        server.set(place, signing.seal(key, place, text))


def run(*arguments: Any, **_: Any) -> None:
    """A request's JSON and its signature. Raises Refused and UnknownContract for what may not be, and the record keeps

    that; every other end is an event of the run.
    """
    request_json, signature, *_more = *arguments, "", ""
    server, record = _opened()
    fault("job.begun")
    key = signing.load()
    try:
        request = gate.admit(request_json, signature, key, server, time.time())
    except (gate.Refused, contract.UnknownContract) as refused:
        log.warning("job refused", summary=str(refused))
        record.append(turned_away(request_json, str(refused)))
        raise
    fault("job.admitted")
    journal = Journal(server, key, request.run, request.job, time.time, recording(record, request))
    tell_all(request, journal, lambda: _office(request, journal, server))
    fault("job.ended")


def turn_away(why: str, *_: Any, **__: Any) -> None:
    """Instead of a function that no RQ worker runs. Raises Refused, which the record keeps."""
    log.warning("job refused", summary=why)
    _opened()[1].append(turned_away("", why))
    raise gate.Refused(why)


def _opened() -> tuple["redis.Redis", Audit]:
    server = broker.connect(os.environ.get("REDIS_URL"), broker.PATIENT)
    return server, Audit(server, audit.key())


def tell_all(request: contract.Request, journal: Journal, open_office: Callable[[], Office]) -> None:
    """Runs the command, and tells how it ended whatever happens."""
    with structlog.contextvars.bound_contextvars(run=request.run, job=request.job):
        try:
            handle(request.command, open_office())
        except Broke as broke:
            log.exception("job broke")
            journal.tell(_end(request, journal, broke))
        except JobError as failed:
            log.warning("job failed", summary=failed.summary)
            journal.tell(_end(request, journal, failed))
        except Exception as broke:
            log.exception("job broke")
            journal.tell(_end(request, journal, _blamed(broke, getattr(request.command, "host", ""))))


def _end(request: contract.Request, journal: Journal, failed: JobError) -> contract.Ended:
    """What failed, in what state that left things, and what to type next: whatever failed, and wherever."""
    return contract.Ended(
        _outcome(failed), failed.summary, failed.state or _state(request, journal), _hint(request, failed), failed.by
    )


def _state(request: contract.Request, journal: Journal) -> str:
    if journal.stepped and contract.queue_of(request.command) == contract.CHANGES:
        return "What was done stays done."
    return "Nothing was changed." if request.job == 1 else "Nothing more was changed."


def _hint(request: contract.Request, failed: JobError) -> str:
    if "/swarm" in failed.hint:
        return failed.hint
    reads = contract.queue_of(request.command) == contract.READS
    again = f"/swarm retry {request.run} goes on from what is true then."
    return f"{failed.hint} {f'Again: {typed(request.command)}' if reads else again}".lstrip()


def _blamed(broke: Exception, host: str) -> JobError:
    """What no host is to blame for, as what it is; Imker itself for all that is left."""
    match broke:
        case ConfigError():
            return JobError("; ".join(broke.lines), hint="Mend that on the RQ workers' machine.")
        case RecordBroken():
            hint = "`python -m bot audit verify` says where it breaks."
            return JobError("the record takes no entry, so that nothing more is done", hint=hint)
        case RedisError():
            return JobError(outage(broke) or "Redis refuses it; the RQ worker's log says why")
        case _:
            return Broke(host)


def _outcome(failed: JobError) -> contract.Outcome:
    if isinstance(failed, Restored):
        return "restored"
    return "cancelled" if isinstance(failed, Cancelled) else "failed"


def handle(command: contract.Command, office: Office) -> None:
    match command:
        case contract.Hosts():
            reads.hosts(office)
        case contract.Nodes():
            reads.nodes(office)
        case contract.PlanHost(host, role, docker_group):
            outlook.show_plan(office, host, role, docker_group)
        case contract.Migrate(host, role, docker_group):
            changes.migrate(office, host, role, docker_group)
        case contract.Accept(node):
            changes.accept(office, node)
        case contract.Reject(node, remove):
            changes.reject(office, node, remove)
        case contract.MigrateAll(without):
            fleet_plan.show_fleet(office, without)
        case contract.Doctor():
            doctor.show(office)
        case contract.StartContainers(host, names):
            containers.start(office, host, names)
        case contract.RetireStore(host):
            retirement.retire_store(office, host)


def _office(request: contract.Request, journal: Journal, server: "redis.Redis") -> Office:
    loaded = prepare()

    def shell(host: Host) -> SshShell:
        return SshShell(host, loaded.inventory.known_hosts)

    # docker-machine's store is read anew: a migration before this one may have cleaned it.
    known = inventory.load(loaded)
    tell_hosts(server, signing.load(), known, loaded.rights)
    return Office(request, loaded, known, journal, server, shell, Engine)
