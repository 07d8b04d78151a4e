"""What pause, resume, cancel and retry mean for a run as it stands. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot import fleet
from bot.fleet import FleetView
from bot.progress import RunView
from bot.record import Verdict
from jobs.contract import READS, Command, MigrateAll, queue_of

Steering = Literal["pause", "resume", "cancel", "retry"]
LATER = {
    "pause": "pauses after the step it is in. Go on: /swarm resume",
    "cancel": "stops after the step it is in; what was done stays done.",
    "resume": "goes on.",
}


@dataclass(frozen=True)
class Start:
    """The same again, as a run of its own."""

    command: Command
    text: str


@dataclass(frozen=True)
class Answer:
    """To the question that the run waits with."""

    verdict: Verdict


@dataclass(frozen=True)
class Holding:
    """A word that its jobs, or its fleet's, find between two steps."""

    what: Literal["pause", "cancel", "resume"]
    says: str


@dataclass(frozen=True)
class No:
    says: str


Word = Start | Answer | Holding | No


def steer(view: RunView, whole: FleetView | None, what: Steering) -> Word:
    """`whole`: the fleet, if the run is a fleet's."""
    run = view.record.run
    if what == "retry":
        return _retry(view, whole)
    if whole and whole.start:
        return _steer_fleet(run, whole, what)
    if view.state == "waiting" and what == "cancel":
        return Answer("cancel")
    if view.state == "waiting" and what == "resume" and view.waiting and view.waiting.question == "resume":
        return Answer("continue")
    held = view.state in ("queued", "running") and what != "resume" and _changes(view.record.command)
    return Holding(what, later(run, what)) if held else No(f"Run {run} is not one to {what} now.")


def later(run: str, what: Steering) -> str:
    return f"Run {run} {LATER[what]}"


def _steer_fleet(run: str, whole: FleetView, what: Literal["pause", "resume", "cancel"]) -> Holding | No:
    over = fleet.state(whole) == "over" or whole.held("cancel")
    wrong = over or (what == "resume" and not whole.held("pause")) or (what == "pause" and whole.held("pause"))
    return No(f"Run {run} is not one to {what} now.") if wrong else Holding(what, later(run, what))


def _retry(view: RunView, whole: FleetView | None) -> Start | No:
    over = fleet.state(whole) == "over" if whole else view.state in ("over", "lost")
    if not over:
        return No(f"Run {view.record.run} is not over yet. /swarm status {view.record.run} shows it.")
    return Start(view.record.command, view.record.text)


def _changes(command: Command) -> bool:
    return queue_of(command) != READS or isinstance(command, MigrateAll)
