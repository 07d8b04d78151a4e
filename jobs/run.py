"""The one function an RQ worker runs: a Request in, Events out, and always a last word.

What is asked is decided by the command's type; what is done, by jobs.plan; how, by jobs.execute.
"""

import json
import os
import time
from collections.abc import Callable
from functools import cache

import redis
import structlog

from imker import audit, broker, signing
from imker.audit import Audit
from imker.config import ConfigError
from imker.fault import fault
from jobs import changes, containers, contract, doctor, fleet_plan, gate, inventory, reads, settings
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


def tell_hosts(server: "redis.Redis", known: inventory.Inventory) -> None:
    """The bot's own word for a near miss. At each start, and with each job: Redis may have been wiped."""
    server.set(contract.INVENTORY, json.dumps(sorted(known)))


def run(request_json: str, signature: object = "") -> None:
    """Raises Refused and UnknownContract for what may not be; every other end is an event of the run."""
    server = broker.connect(os.environ.get("REDIS_URL"), broker.PATIENT)
    record = Audit(server, audit.key())
    fault("job.begun")
    key = signing.load()
    try:
        request = gate.admit(request_json, signature, key, server, time.time())
    except gate.Refused as refused:
        log.warning("job refused", summary=refused.summary)
        record.append(turned_away(request_json, refused.summary))
        raise
    fault("job.admitted")
    journal = Journal(server, key, request.run, request.job, time.time, recording(record, request))
    tell_all(request, journal, lambda: _office(request, journal, server))
    fault("job.ended")


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
        except Exception:
            log.exception("job broke")
            journal.tell(_end(request, journal, Broke(getattr(request.command, "host", ""))))


def _end(request: contract.Request, journal: Journal, failed: JobError) -> contract.Ended:
    """What failed, in what state that left things, and what to type next: whatever failed, and wherever."""
    return contract.Ended(
        _outcome(failed), failed.summary, failed.state or _state(request, journal), _hint(request, failed)
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
            reads.show_plan(office, host, role, docker_group)
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
            containers.retire_store(office, host)


def _office(request: contract.Request, journal: Journal, server: "redis.Redis") -> Office:
    loaded = prepare()

    def shell(host: Host) -> SshShell:
        return SshShell(host, loaded.inventory.known_hosts)

    # docker-machine's store is read anew: a migration before this one may have cleaned it.
    try:
        known = inventory.load(loaded)
    except ConfigError as wrong:
        raise JobError("; ".join(wrong.lines), hint="Mend that on the RQ workers' machine.") from wrong
    tell_hosts(server, known)
    return Office(request, loaded, known, journal, server, shell, Engine)
