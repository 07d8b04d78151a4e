"""A fleet's migration as it stands: its own run and each host's, what may begin next, and how it ended. Pure.

Nothing is remembered here: whoever looks, and however often, comes to the same answer from the same runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.progress import RunView
from bot.record import DAY, Decision, RunRecord, run_id
from jobs.contract import Approval, Ended, FleetPlanned, Hold, Leg, Migrate

LegState = Literal["ahead", "going", "asking", "pending", "done", "failed", "cancelled"]
State = Literal["planning", "asking", "going", "paused", "pending", "over"]
AFTER = ("containers", "stop", "store")  # questions of a host that is in the swarm
SETTLED = ("pending", "done")  # a manager that waits to be accepted keeps nobody waiting
GOOD = 7 * DAY  # seconds from a start until nothing is begun for it any more: less than its hosts' jobs count as used


@dataclass(frozen=True)
class LegView:
    """`view`: the host's own run, None before it began."""

    leg: Leg
    view: RunView | None

    @property
    def state(self) -> LegState:
        return _leg_state(self.view) if self.view else "ahead"


@dataclass(frozen=True)
class FleetView:
    """`view`: the fleet's own run; `start`: who said yes to it, and when; `hold`: what somebody said since."""

    view: RunView
    planned: FleetPlanned
    legs: tuple[LegView, ...]
    start: Decision | None = None
    hold: Hold | None = None

    @property
    def late(self) -> bool:
        """Whether hosts are left that its start no longer is for."""
        return self.start is not None and self.view.now - self.start.at > GOOD and bool(self.of("ahead"))

    def held(self, what: str) -> bool:
        return self.hold is not None and self.hold.what == what

    def of(self, *states: LegState) -> tuple[LegView, ...]:
        return tuple(leg for leg in self.legs if leg.state in states)


def fleet_of(view: RunView, children: Mapping[str, RunView], hold: Hold | None) -> FleetView | None:
    """None while there is no plan. `children`: the hosts' own runs, by host."""
    if view.fleet is None:
        return None
    start = next((decision for decision in view.decisions if decision.verdict == "start"), None)
    legs = tuple(LegView(leg, children.get(leg.host)) for leg in view.fleet.legs)
    return FleetView(view, view.fleet, legs, start, hold)


def next_legs(fleet: FleetView) -> tuple[Leg, ...]:
    """What may begin now: of the first wave that is not settled, as many as may go on at once. A failure stops all."""
    if fleet.start is None or fleet.held("pause") or fleet.held("cancel") or fleet.of("failed", "cancelled"):
        return ()
    if fleet.late:
        return ()
    open_waves = [leg.leg.wave for leg in fleet.legs if leg.state not in SETTLED]
    if not open_waves:
        return ()
    wave = [leg for leg in fleet.legs if leg.leg.wave == min(open_waves)]
    busy = sum(leg.state in ("going", "asking") for leg in wave)
    return tuple(leg.leg for leg in wave if leg.state == "ahead")[: max(0, fleet.planned.parallel - busy)]


def leg_run(run: str, host: str) -> str:
    """The run of one host of a fleet: always the same, so that it begins once."""
    return run_id(f"{run}:{host}")


def leg_record(fleet: FleetView, leg: Leg, now: float) -> RunRecord:
    """A host's own run, with the yes that the fleet's start was to its warnings. `now`: UNIX seconds."""
    assert fleet.start is not None, "no host before the start"
    whole = fleet.view.record
    return RunRecord(
        leg_run(whole.run, leg.host),
        Migrate(leg.host, leg.role),
        f"migrate {leg.host} --{leg.role}",
        whole.asker,
        whole.channel,
        now,
        part_of=whole.run,
        approvals=(Approval(fleet.start.by, leg.warned, fleet.start.at),),
        within=(leg.host,),
    )


def steered(fleet: FleetView) -> tuple[tuple[RunView, Decision], ...]:
    """Hosts that stopped for a pause, and what the fleet's resume or cancel means for each."""
    if fleet.hold is None or fleet.hold.what == "pause":
        return ()
    verdict: Literal["continue", "cancel"] = "continue" if fleet.hold.what == "resume" else "cancel"
    asking = ((leg.view, leg.view.waiting) for leg in fleet.of("asking") if leg.view and leg.view.waiting)
    paused = ((view, waiting.fingerprint) for view, waiting in asking if waiting.question == "resume")
    by, at, why = fleet.hold.by, fleet.hold.at, fleet.hold.why
    return tuple((view, Decision(view.record.jobs, verdict, by, at, shown, why)) for view, shown in paused)


def state(fleet: FleetView) -> State:
    if fleet.start is None:
        return "over" if fleet.view.state in ("over", "lost") else "asking"
    if fleet.of("going"):
        return "going"
    if fleet.of("asking"):
        return "paused" if fleet.held("pause") else "asking"
    if fleet.of("failed", "cancelled") or fleet.held("cancel") or fleet.late:
        return "over"  # who waits to be accepted has a message of their own
    if fleet.of("ahead"):
        return "paused" if fleet.held("pause") else "going"
    return "pending" if fleet.of("pending") else "over"


def goes_on(fleet: FleetView) -> bool:
    """Return whether a host is being moved, or still may be."""
    return state(fleet) != "over" and bool(fleet.of("ahead", "going", "asking"))


def conclusion(fleet: FleetView) -> Ended | None:
    """A fleet's last word, once nothing is left that could still happen."""
    if state(fleet) != "over" or fleet.start is None:
        return fleet.view.ended
    inside = [leg.leg for leg in fleet.of("done")]
    managers = sum(leg.role == "manager" for leg in inside)
    if len(inside) == len(fleet.legs):
        workers = len(inside) - managers
        return Ended("done", f"{len(inside)} hosts moved: {managers} as managers, {workers} as workers.")
    again = f"/swarm retry {fleet.view.record.run} goes on from what is true then."
    why, by = _failure(fleet)
    return Ended("failed" if fleet.of("failed") else "cancelled", why, _left(fleet), again, by)


def _failure(fleet: FleetView) -> tuple[str, str]:
    """And whose word it was, "" for nobody's."""
    failed = [f"{leg.leg.host}: {_why(leg.view)}" for leg in fleet.of("failed", "cancelled")]
    if failed or not fleet.hold or not fleet.held("cancel"):
        return "; ".join(failed) or "it was started more than a week ago; nothing more is begun for that", ""
    return f"cancelled: {fleet.hold.why}" if fleet.hold.why else "cancelled", fleet.hold.by


def _why(view: RunView | None) -> str:
    if view and view.ended:
        return view.ended.summary
    return "RQ reports that its job failed" if view and view.state == "lost" else "cancelled"


def _left(fleet: FleetView) -> str:
    def names(*states: LegState) -> str:
        return ", ".join(leg.leg.host for leg in fleet.of(*states)) or "none"

    waiting = f" Waiting to be accepted: {names('pending')}." if fleet.of("pending") else ""
    return f"In the swarm: {names('done')}.{waiting} Not begun: {names('ahead')}."


def _leg_state(view: RunView) -> LegState:
    match view.state:
        case "queued" | "running":
            return "going"
        case "lost":
            return "failed"
        case "waiting":
            question = _question(view)
            return "pending" if question == "accept" else "done" if question in AFTER else "asking"
        case "over":
            return _over(view)


def _over(view: RunView) -> LegState:
    """What did not come back, or a store that was kept, is told, and is no failure."""
    if view.ended is None:
        return "done" if _question(view) in AFTER else "cancelled"
    if view.ended.outcome == "cancelled":
        return "cancelled"
    return "done" if view.ended.outcome in ("done", "nothing") else "failed"


def _question(view: RunView) -> str:
    return view.waiting.question if view.waiting else ""
