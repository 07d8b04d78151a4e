"""Decide what pause, resume, cancel, and retry mean for a run in its current state. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.records import Choice
from bot.state import fleet_state
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState, RunStatus
from imker.protocol.commands import Command, FleetCommand
from imker.protocol.version import READS_QUEUE

HoldAction = Literal["pause", "resume", "cancel"]
RunAction = Literal["pause", "resume", "cancel", "retry"]
CONFIRMATIONS: dict[HoldAction, str] = {
    "pause": "Run `{run}` pauses after the current step. To resume it, type `/swarm resume {run}`.",
    "cancel": "Run `{run}` is cancelled after the current step. Completed steps are kept.",
    "resume": "Run `{run}` continues.",
}
WHY_NOT: dict[RunStatus, str] = {
    "queued": "it has not started yet",
    "running": "it is running",
    "waiting": "it is waiting for a decision",
    "finished": "it has finished",
    "lost": "it is lost",
}
PARTICIPLES: dict[HoldAction, str] = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}


@dataclass(frozen=True)
class StartRun:
    """Start the same command as a new run."""

    command: Command
    text: str


@dataclass(frozen=True)
class DecideRun:
    """Record this decision on the run's open question."""

    choice: Choice


@dataclass(frozen=True)
class SetHold:
    """Record a hold, which jobs check between steps. `confirmation` is the reply."""

    action: HoldAction
    confirmation: str


@dataclass(frozen=True)
class Rejected:
    """Refuse the action. `reason` is the reply."""

    reason: str


Resolution = StartRun | DecideRun | SetHold | Rejected


def resolve(state: RunState, fleet: FleetState | None, action: RunAction) -> Resolution:
    """Return what to do for the action. `fleet`: the fleet's state, if this is a fleet's run."""
    if action == "retry":
        return _retry(state, fleet)
    if fleet and fleet.start:
        return _resolve_fleet(state.record.run, fleet, action)
    if state.status == "waiting" and action == "cancel":
        return DecideRun("cancel")
    if state.status == "waiting" and action == "resume" and state.question and state.question.question == "resume":
        return DecideRun("continue")
    return _resolve_run(state, action)


def confirmation(run: str, action: RunAction) -> str:
    """Return the reply to a hold that was recorded."""
    return "" if action == "retry" else CONFIRMATIONS[action].format(run=run)


def _resolve_run(state: RunState, action: HoldAction) -> SetHold | Rejected:
    run = state.record.run
    if state.status not in ("queued", "running") or action == "resume":
        return _reject(run, action, WHY_NOT[state.status])
    if not changes_host(state.record.command):
        return _reject(run, action, "it changes nothing and ends soon")
    return SetHold(action, confirmation(run, action))


def _resolve_fleet(run: str, fleet: FleetState, action: HoldAction) -> SetHold | Rejected:
    status = fleet_state.fleet_status(fleet)
    if status == "finished":
        return _reject(run, action, "it has finished")
    if fleet.is_held("cancel"):
        return _reject(run, action, "it is being cancelled")
    if action == "resume" and not fleet.is_held("pause"):
        return _reject(run, action, "it is not paused")
    if action == "pause" and fleet.is_held("pause"):
        return _reject(run, action, "it is paused already")
    return SetHold(action, confirmation(run, action))


def _reject(run: str, action: HoldAction, why: str) -> Rejected:
    return Rejected(f"Run `{run}` can't be {PARTICIPLES[action]}: {why}. See `/swarm status {run}`.")


def _retry(state: RunState, fleet: FleetState | None) -> StartRun | Rejected:
    if not fleet_state.has_ended(state, fleet):
        run = state.record.run
        return Rejected(f"Run `{run}` hasn't finished yet. See `/swarm status {run}`.")
    return StartRun(state.record.command, state.record.command_text)


def changes_host(command: Command) -> bool:
    """Return whether the command changes hosts, so that it can be paused and cancelled."""
    return command.queue != READS_QUEUE or isinstance(command, FleetCommand)
