"""A fleet's migration as it stands: its own run and each host's, what may begin next, and how it ended. Pure.

Nothing is remembered here: whoever looks, and however often, comes to the same answer from the same runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.records import DAY, Decision, RunRecord, run_id
from bot.state.run_state import RunState
from imker.protocol.commands import Approval, Hold, Migrate
from imker.protocol.events import FleetPlanned, JobFinished
from imker.protocol.values import HostPlan

HostStatus = Literal["ahead", "going", "asking", "pending", "done", "failed", "cancelled"]
FleetStatus = Literal["planning", "asking", "going", "paused", "pending", "over"]
POST_MIGRATION_QUESTIONS = (
    "start_containers",
    "stop_store",
    "remove_store",
)  # questions of a host that is in the swarm
SETTLED_STATES = ("pending", "done")  # a manager that waits to be accepted keeps nobody waiting
START_TTL = (
    7 * DAY
)  # seconds from a start until nothing is begun for it any more: less than its hosts' jobs count as used


@dataclass(frozen=True)
class HostState:
    """`view`: the host's own run, None before it began."""

    plan: HostPlan
    run: RunState | None

    @property
    def status(self) -> HostStatus:
        return _host_status(self.run) if self.run else "ahead"


@dataclass(frozen=True)
class FleetState:
    """`view`: the fleet's own run; `start`: who said yes to it, and when; `hold`: what somebody said since."""

    run: RunState
    plan: FleetPlanned
    hosts: tuple[HostState, ...]
    start: Decision | None = None
    hold: Hold | None = None

    @property
    def start_expired(self) -> bool:
        """Whether hosts are left that its start no longer is for."""
        return (
            self.start is not None
            and self.run.now - self.start.decided_at > START_TTL
            and bool(self.with_status("ahead"))
        )

    def is_held(self, what: str) -> bool:
        return self.hold is not None and self.hold.action == what

    def with_status(self, *states: HostStatus) -> tuple[HostState, ...]:
        return tuple(leg for leg in self.hosts if leg.status in states)


def fold_fleet(view: RunState, children: Mapping[str, RunState], hold: Hold | None) -> FleetState | None:
    """None while there is no plan. `children`: the hosts' own runs, by host."""
    if view.fleet is None:
        return None
    start = next((decision for decision in view.decisions if decision.choice == "start"), None)
    legs = tuple(HostState(leg, children.get(leg.host)) for leg in view.fleet.host_plans)
    return FleetState(view, view.fleet, legs, start, hold)


def hosts_to_start(fleet: FleetState) -> tuple[HostPlan, ...]:
    """What may begin now: of the first wave that is not settled, as many as may go on at once. A failure stops all."""
    if (
        fleet.start is None
        or fleet.is_held("pause")
        or fleet.is_held("cancel")
        or fleet.with_status("failed", "cancelled")
    ):
        return ()
    if fleet.start_expired:
        return ()
    open_waves = [leg.plan.wave for leg in fleet.hosts if leg.status not in SETTLED_STATES]
    if not open_waves:
        return ()
    wave = [leg for leg in fleet.hosts if leg.plan.wave == min(open_waves)]
    busy = sum(leg.status in ("going", "asking") for leg in wave)
    return tuple(leg.plan for leg in wave if leg.status == "ahead")[: max(0, fleet.plan.parallel - busy)]


def host_run_id(run: str, host: str) -> str:
    """The run of one host of a fleet: always the same, so that it begins once."""
    return run_id(f"{run}:{host}")


def host_run_record(fleet: FleetState, host: HostPlan, now: float) -> RunRecord:
    """A host's own run, with the yes that the fleet's start was to its warnings. `now`: UNIX seconds."""
    assert fleet.start is not None, "no host before the start"
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
    """Hosts that stopped for a pause, and what the fleet's resume or cancel means for each."""
    if fleet.hold is None or fleet.hold.action == "pause":
        return ()
    verdict: Literal["continue", "cancel"] = "continue" if fleet.hold.action == "resume" else "cancel"
    asking = ((leg.run, leg.run.question) for leg in fleet.with_status("asking") if leg.run and leg.run.question)
    paused = ((view, waiting.fingerprint) for view, waiting in asking if waiting.question == "resume")
    by, at, why = fleet.hold.user, fleet.hold.requested_at, fleet.hold.why
    return tuple(
        (view, Decision(view.record.job_count, verdict, by, at, fingerprint, why)) for view, fingerprint in paused
    )


def fleet_status(fleet: FleetState) -> FleetStatus:
    if fleet.start is None:
        return "over" if fleet.run.status in ("over", "lost") else "asking"
    if fleet.with_status("going"):
        return "going"
    if fleet.with_status("asking"):
        return "paused" if fleet.is_held("pause") else "asking"
    if fleet.with_status("failed", "cancelled") or fleet.is_held("cancel") or fleet.start_expired:
        return "over"  # who waits to be accepted has a message of their own
    if fleet.with_status("ahead"):
        return "paused" if fleet.is_held("pause") else "going"
    return "pending" if fleet.with_status("pending") else "over"


def is_running(fleet: FleetState) -> bool:
    """Return whether a host is being moved, or still may be."""
    return fleet_status(fleet) != "over" and bool(fleet.with_status("ahead", "going", "asking"))


def outcome(fleet: FleetState) -> JobFinished | None:
    """A fleet's last word, once nothing is left that could still happen."""
    if fleet_status(fleet) != "over" or fleet.start is None:
        return fleet.run.outcome
    inside = [leg.plan for leg in fleet.with_status("done")]
    managers = sum(leg.role == "manager" for leg in inside)
    if len(inside) == len(fleet.hosts):
        workers = len(inside) - managers
        return JobFinished("done", f"{len(inside)} hosts moved: {managers} as managers, {workers} as workers.")
    retry_text = f"/swarm retry {fleet.run.record.run} goes on from what is true then."
    reason, by = _failed_hosts(fleet)
    return JobFinished(
        "failed" if fleet.with_status("failed") else "cancelled", reason, _remaining(fleet), retry_text, by
    )


def _failed_hosts(fleet: FleetState) -> tuple[str, str]:
    """And whose word it was, "" for nobody's."""
    failures = [f"{leg.plan.host}: {_reason(leg.run)}" for leg in fleet.with_status("failed", "cancelled")]
    if failures or not fleet.hold or not fleet.is_held("cancel"):
        return "; ".join(failures) or "it was started more than a week ago; nothing more is begun for that", ""
    return f"cancelled: {fleet.hold.why}" if fleet.hold.why else "cancelled", fleet.hold.user


def _reason(view: RunState | None) -> str:
    if view and view.outcome:
        return view.outcome.summary
    return "RQ reports that its job failed" if view and view.status == "lost" else "cancelled"


def _remaining(fleet: FleetState) -> str:
    def names(*states: HostStatus) -> str:
        return ", ".join(leg.plan.host for leg in fleet.with_status(*states)) or "none"

    waiting = f" Waiting to be accepted: {names('pending')}." if fleet.with_status("pending") else ""
    return f"In the swarm: {names('done')}.{waiting} Not begun: {names('ahead')}."


def _host_status(view: RunState) -> HostStatus:
    match view.status:
        case "queued" | "running":
            return "going"
        case "lost":
            return "failed"
        case "waiting":
            question = _question(view)
            return "pending" if question == "accept" else "done" if question in POST_MIGRATION_QUESTIONS else "asking"
        case "over":
            return _is_finished(view)


def _is_finished(view: RunState) -> HostStatus:
    """What did not come back, or a store that was kept, is told, and is no failure."""
    if view.outcome is None:
        return "done" if _question(view) in POST_MIGRATION_QUESTIONS else "cancelled"
    if view.outcome.outcome == "cancelled":
        return "cancelled"
    return "done" if view.outcome.outcome in ("done", "unchanged") else "failed"


def _question(view: RunState) -> str:
    return view.question.question if view.question else ""


RunWithFleet = tuple[RunState, FleetState | None]
