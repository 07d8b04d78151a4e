"""Fold a fleet's migration from its own run and its hosts' runs: which hosts may start, and how it ended.

Nothing is remembered: every call with the same runs returns the same result. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.records import DAY, Decision, RunRecord, run_id
from bot.state.run_state import RunState
from imker.protocol.commands import Approval, Hold, Migrate
from imker.protocol.events import FleetPlanned, JobFinished, Outcome
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.values import HostPlan

HostStatus = Literal["pending", "running", "waiting", "unaccepted", "done", "failed", "cancelled"]
FleetStatus = Literal["planning", "waiting", "running", "paused", "unaccepted", "finished"]
POST_MIGRATION_QUESTIONS = (
    "start_containers",
    "stop_store",
    "remove_store",
)  # the host is in the swarm when these are asked
SETTLED_STATES = ("unaccepted", "done")  # the next wave does not wait for a manager to be accepted
# Seconds after which a start no longer starts hosts. Shorter than the time for which the job IDs of its hosts are known
# as used, so that no host is started twice.
START_TTL = 7 * DAY


@dataclass(frozen=True)
class HostState:
    """A host of a fleet. `run` is the host's own run, None before it started."""

    plan: HostPlan
    run: RunState | None

    @property
    def status(self) -> HostStatus:
        """Return how far the host is."""
        return _host_status(self.run) if self.run else "pending"


@dataclass(frozen=True)
class FleetState:
    """A fleet's migration.

    `run`: the fleet's own run. `start`: the decision that started it. `hold`: the latest pause, resume, or cancel.
    """

    run: RunState
    plan: FleetPlanned
    hosts: tuple[HostState, ...]
    start: Decision | None = None
    hold: Hold | None = None

    @property
    def start_expired(self) -> bool:
        """Return whether hosts are left that were not started within START_TTL."""
        if self.start is None or not self.with_status("pending"):
            return False
        return self.run.now - self.start.decided_at > START_TTL

    def is_held(self, action: str) -> bool:
        """Return whether the latest hold is this action."""
        return self.hold is not None and self.hold.action == action

    def with_status(self, *statuses: HostStatus) -> tuple[HostState, ...]:
        """Return the hosts that have one of these statuses."""
        return tuple(host for host in self.hosts if host.status in statuses)


def fold_fleet(state: RunState, host_runs: Mapping[str, RunState], hold: Hold | None) -> FleetState | None:
    """Return the fleet's state, None before its plan exists. `host_runs`: the hosts' own runs, by host name."""
    if state.fleet is None:
        return None
    start = next((decision for decision in state.decisions if decision.choice == "start"), None)
    hosts = tuple(HostState(plan, host_runs.get(plan.host)) for plan in state.fleet.host_plans)
    return FleetState(state, state.fleet, hosts, start, hold)


def hosts_to_start(fleet: FleetState) -> tuple[HostPlan, ...]:
    """Return the hosts to start now: the next ones of the first unsettled wave, up to the limit of parallel hosts.

    Nothing starts while the fleet is paused or cancelled, after a failure, or after the start has expired.
    """
    is_held = fleet.is_held("pause") or fleet.is_held("cancel")
    if fleet.start is None or fleet.start_expired or is_held or fleet.with_status("failed", "cancelled"):
        return ()
    unsettled_waves = [host.plan.wave for host in fleet.hosts if host.status not in SETTLED_STATES]
    if not unsettled_waves:
        return ()
    wave = [host for host in fleet.hosts if host.plan.wave == min(unsettled_waves)]
    busy = sum(host.status in ("running", "waiting") for host in wave)
    return tuple(host.plan for host in wave if host.status == "pending")[: max(0, fleet.plan.parallel - busy)]


def host_run_id(run: str, host: str) -> str:
    """Return the ID of a host's run in a fleet. It never changes, so each host starts once."""
    return run_id(f"{run}:{host}")


def host_run_record(fleet: FleetState, host: HostPlan, now: float) -> RunRecord:
    """Return the record for a host's run. The fleet's start approves the host's warnings. `now`: UNIX seconds."""
    assert fleet.start is not None, "no host runs before the start"
    fleet_record = fleet.run.record
    return RunRecord(
        host_run_id(fleet_record.run, host.host),
        Migrate(host.host, host.role),
        f"migrate {host.host} --{host.role}",
        fleet_record.requester,
        fleet_record.channel,
        now,
        parent_run=fleet_record.run,
        approvals=(Approval(fleet.start.user, host.warnings_fingerprint, fleet.start.decided_at),),
        allowed_hosts=(host.host,),
    )


def decisions_from_hold(fleet: FleetState) -> tuple[tuple[RunState, Decision], ...]:
    """Return the decisions for paused hosts that follow from the fleet's resume or cancel."""
    hold = fleet.hold
    if hold is None or hold.action == "pause":
        return ()
    choice: Literal["continue", "cancel"] = "continue" if hold.action == "resume" else "cancel"
    waiting = ((host.run, host.run.question) for host in fleet.with_status("waiting") if host.run and host.run.question)
    paused = ((run, question.fingerprint) for run, question in waiting if question.question == "resume")
    return tuple(
        (run, Decision(run.record.job_count, choice, hold.user, hold.requested_at, fingerprint, hold.why))
        for run, fingerprint in paused
    )


def fleet_status(fleet: FleetState) -> FleetStatus:
    """Return how far the fleet is."""
    if fleet.start is None:
        return "finished" if fleet.run.status in ("finished", "lost") else "waiting"
    if fleet.with_status("running"):
        return "running"
    if fleet.with_status("waiting"):
        return "paused" if fleet.is_held("pause") else "waiting"
    if fleet.with_status("failed", "cancelled") or fleet.is_held("cancel") or fleet.start_expired:
        return "finished"  # managers that wait to be accepted have their own messages
    if fleet.with_status("pending"):
        return "paused" if fleet.is_held("pause") else "running"
    return "unaccepted" if fleet.with_status("unaccepted") else "finished"


def is_running(fleet: FleetState) -> bool:
    """Return whether a host is being migrated, or still may be."""
    return fleet_status(fleet) != "finished" and bool(fleet.with_status("pending", "running", "waiting"))


def outcome(fleet: FleetState) -> JobFinished | None:
    """Return how the fleet's migration ended, None while anything can still happen."""
    if fleet_status(fleet) != "finished" or fleet.start is None:
        return fleet.run.outcome
    done = [host.plan for host in fleet.with_status("done")]
    if len(done) == len(fleet.hosts):
        managers = sum(plan.role == "manager" for plan in done)
        return JobFinished(
            "done", f"{_count(len(done), 'host')} migrated: {_count(managers, 'manager')}, "
            f"{_count(len(done) - managers, 'worker')}.",
        )  # fmt: skip
    run = fleet.run.record.run
    retry = NextCommand(BotCommand("retry", run), "re-plan from the current state and migrate the remaining hosts")
    reason, user = _why_incomplete(fleet)
    outcome: Outcome = "failed" if fleet.with_status("failed") else "cancelled"
    return JobFinished(outcome, reason, _remaining(fleet), user=user, next_commands=(retry,))


def ended_by_hold(fleet: FleetState) -> bool:
    """Return whether a cancel alone ended the fleet, so that its outcome says who cancelled, and why."""
    end = outcome(fleet) if fleet.start else None
    is_cancelled = end is not None and end.outcome == "cancelled" and fleet.is_held("cancel")
    return is_cancelled and not fleet.with_status("cancelled")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _why_incomplete(fleet: FleetState) -> tuple[str, str]:
    """Return the reason, and the user who cancelled, "" after a failure or an expired start."""
    failures = [f"{host.plan.host}: {_reason(host.run)}" for host in fleet.with_status("failed", "cancelled")]
    if failures:
        return "; ".join(failures), ""
    if fleet.hold and fleet.is_held("cancel"):
        return f"cancelled: {fleet.hold.why}" if fleet.hold.why else "cancelled", fleet.hold.user
    return "expired: the fleet was started more than 7 days ago, so no more hosts are started", ""


def _reason(run: RunState | None) -> str:
    if run and run.outcome:
        return run.outcome.summary
    return "the RQ worker stopped" if run and run.status == "lost" else "cancelled"


def _remaining(fleet: FleetState) -> str:
    def names(*statuses: HostStatus) -> str:
        return ", ".join(host.plan.host for host in fleet.with_status(*statuses)) or "none"

    unaccepted = f" Waiting to be accepted: {names('unaccepted')}." if fleet.with_status("unaccepted") else ""
    return f"In the swarm: {names('done')}.{unaccepted} Not started: {names('pending')}."


def _host_status(run: RunState) -> HostStatus:
    match run.status:
        case "queued" | "running":
            return "running"
        case "lost":
            return "failed"
        case "waiting":
            question = _question(run)
            if question == "accept":
                return "unaccepted"
            return "done" if question in POST_MIGRATION_QUESTIONS else "waiting"
        case "finished":
            return _finished_status(run)


def _finished_status(run: RunState) -> HostStatus:
    """Return the status of a finished run. Stopped containers and a kept key-value store are no failure."""
    if run.outcome is None:
        return "done" if _question(run) in POST_MIGRATION_QUESTIONS else "cancelled"
    if run.outcome.outcome == "cancelled":
        return "cancelled"
    return "done" if run.outcome.outcome in ("done", "unchanged") else "failed"


def _question(run: RunState) -> str:
    return run.question.question if run.question else ""


RunWithFleet = tuple[RunState, FleetState | None]
