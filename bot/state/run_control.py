"""What pause, resume, cancel and retry mean for a run as it stands. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.records import Choice
from bot.state import fleet_state
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState
from imker.protocol.commands import Command, MigrateAll, queue_for
from imker.protocol.version import READS_QUEUE

RunAction = Literal["pause", "resume", "cancel", "retry"]
CONFIRMATIONS = {
    "pause": "pauses after the step it is in. Go on: /swarm resume",
    "cancel": "stops after the step it is in; what was done stays done.",
    "resume": "goes on.",
}


@dataclass(frozen=True)
class StartRun:
    """The same again, as a run of its own."""

    command: Command
    text: str


@dataclass(frozen=True)
class DecideRun:
    """To the question that the run waits with."""

    choice: Choice


@dataclass(frozen=True)
class SetHold:
    """A word that its jobs, or its fleet's, find between two steps."""

    action: Literal["pause", "cancel", "resume"]
    confirmation: str


@dataclass(frozen=True)
class Rejected:
    reason: str


Resolution = StartRun | DecideRun | SetHold | Rejected


def resolve(view: RunState, fleet_run: FleetState | None, action: RunAction) -> Resolution:
    """`whole`: the fleet, if the run is a fleet's."""
    run = view.record.run
    if action == "retry":
        return _retry(view, fleet_run)
    if fleet_run and fleet_run.start:
        return _resolve_fleet(run, fleet_run, action)
    if view.status == "waiting" and action == "cancel":
        return DecideRun("cancel")
    if view.status == "waiting" and action == "resume" and view.question and view.question.question == "resume":
        return DecideRun("continue")
    can_be_held = view.status in ("queued", "running") and action != "resume" and _changes_host(view.record.command)
    return (
        SetHold(action, confirmation(run, action))
        if can_be_held
        else Rejected(f"Run {run} is not one to {action} now.")
    )


def confirmation(run: str, action: RunAction) -> str:
    return f"Run {run} {CONFIRMATIONS[action]}"


def _resolve_fleet(run: str, fleet_run: FleetState, action: Literal["pause", "resume", "cancel"]) -> SetHold | Rejected:
    over = fleet_state.fleet_status(fleet_run) == "over" or fleet_run.is_held("cancel")
    is_invalid = (
        over
        or (action == "resume" and not fleet_run.is_held("pause"))
        or (action == "pause" and fleet_run.is_held("pause"))
    )
    return (
        Rejected(f"Run {run} is not one to {action} now.") if is_invalid else SetHold(action, confirmation(run, action))
    )


def _retry(view: RunState, fleet_run: FleetState | None) -> StartRun | Rejected:
    over = fleet_state.fleet_status(fleet_run) == "over" if fleet_run else view.status in ("over", "lost")
    if not over:
        return Rejected(f"Run {view.record.run} is not over yet. /swarm status {view.record.run} shows it.")
    return StartRun(view.record.command, view.record.command_text)


def _changes_host(command: Command) -> bool:
    return queue_for(command) != READS_QUEUE or isinstance(command, MigrateAll)
