"""Fold a fleet's migration from its own run and its hosts' runs: how far each host is, and how it ended.

Nothing is remembered: every call with the same runs returns the same result. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.records import DAY, Choice, Decision
from bot.state.run_state import RunState
from imker.protocol.commands import Hold
from imker.protocol.events import FleetPlanned, JobFinished, Outcome
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.node_commands import UpgradeAll
from imker.protocol.values import HostPlan

HostStatus = Literal["pending", "running", "waiting", "unaccepted", "done", "failed", "cancelled"]
FleetStatus = Literal["planning", "waiting", "running", "paused", "unaccepted", "finished"]
POST_MIGRATION_QUESTIONS = (
    "start_containers",
    "stop_store",
    "remove_store",
)  # the host is in the swarm when these are asked
ACCEPTANCE_CHOICES = ("accept", "reject", "remove", "again")  # decisions on a host that is in the swarm
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

    @property
    def is_being_accepted(self) -> bool:
        """Return whether the host has joined, and its acceptance or rejection is running."""
        return self.status == "running" and self._last_choice in ACCEPTANCE_CHOICES

    @property
    def rejection(self) -> Choice | None:
        """Return how the host was rejected as a manager: "reject" or "remove", None if it was not."""
        return self._last_choice if self._last_choice in ("reject", "remove") else None

    @property
    def _last_choice(self) -> Choice | None:
        return self.run.decisions[-1].choice if self.run and self.run.decisions else None


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


def has_ended(state: RunState, fleet: FleetState | None) -> bool:
    """Return whether the run, or the fleet if it is a fleet's run, has ended."""
    return fleet_status(fleet) == "finished" if fleet else state.status in ("finished", "lost")


def is_final(state: RunState, fleet: FleetState | None) -> bool:
    """Return whether the run's message stays as it is: the run has ended, or its question has expired."""
    return has_ended(state, fleet) or (fleet is None and state.expired)


def is_running(fleet: FleetState) -> bool:
    """Return whether a host is being migrated, or still may be."""
    return fleet_status(fleet) != "finished" and bool(fleet.with_status("pending", "running", "waiting"))


def outcome(fleet: FleetState) -> JobFinished | None:
    """Return how the fleet's migration ended, None while anything can still happen."""
    if fleet_status(fleet) != "finished" or fleet.start is None:
        return fleet.run.outcome
    if len(fleet.with_status("done")) == len(fleet.hosts):
        return JobFinished("done", _summary(fleet))
    run = fleet.run.record.run
    verb = "upgrade" if is_upgrade(fleet) else "migrate"
    retry = NextCommand(BotCommand("retry", run), f"re-plan from the current state and {verb} the remaining hosts")
    reason, user = _why_incomplete(fleet)
    outcome: Outcome = "failed" if fleet.with_status("failed") else "cancelled"
    return JobFinished(outcome, reason, _remaining(fleet), user=user, next_commands=(retry,))


def _summary(fleet: FleetState) -> str:
    """Return how many hosts became managers and workers, and which managers were rejected."""
    if is_upgrade(fleet):
        return f"{_count(len(fleet.hosts), 'node')} upgraded."
    roles = ["worker" if host.rejection else host.plan.role for host in fleet.hosts if host.rejection != "remove"]
    managers, workers = roles.count("manager"), roles.count("worker")
    text = f"{_count(len(fleet.hosts), 'host')} migrated: {_count(managers, 'manager')}, {_count(workers, 'worker')}."
    rejected = ", ".join(host.plan.host for host in fleet.hosts if host.rejection)
    removed = ", ".join(host.plan.host for host in fleet.hosts if host.rejection == "remove")
    text += f" Rejected as manager: {rejected}." if rejected else ""
    return text + (f" Removed from the swarm: {removed}." if removed else "")


def is_upgrade(fleet: FleetState) -> bool:
    """Return whether the fleet's nodes are upgraded, not migrated."""
    return isinstance(fleet.run.record.command, UpgradeAll)


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
    finished = "Upgraded" if is_upgrade(fleet) else "In the swarm"
    return f"{finished}: {names('done')}.{unaccepted} Not started: {names('pending')}."


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
