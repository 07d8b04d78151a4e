"""Decide what a run alerts people of: its open questions, and how it ended.

An alert is about questions of one kind. The hosts of a fleet have no alerts of their own: their questions are in those
of the fleet, so that several hosts that ask at the same time alert once. Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bot.records import ALL_HOSTS, Decision, target_host
from bot.state import fleet_state
from bot.state.fleet_state import POST_MIGRATION_QUESTIONS, FleetState
from bot.state.run_state import RunState, current_decision, rejection
from imker.protocol.events import JobFinished, Outcome, Question

LONG_RUN = 60.0  # seconds after which the end of a run is worth an alert, whatever its outcome
REMIND_AFTER = 2 / 3  # of the time in which a question can be answered
SUCCESS: tuple[Outcome, ...] = ("done", "unchanged")
QuestionStatus = Literal["open", "answered", "expired", "ended"]  # ended: without an answer, such as by a lost run


@dataclass(frozen=True)
class QuestionSource:
    """The run's job that asks. `host`: the host that it asks about, "" for a whole fleet."""

    run: str
    job: int
    host: str = ""


@dataclass(frozen=True)
class Alert:
    """An alert about questions of one kind. `number`: counts the alerts of this kind, from 1."""

    question: Question
    number: int
    sources: tuple[QuestionSource, ...]


@dataclass(frozen=True)
class QuestionState:
    """How far a question is. `state`: of its run, None if Redis has lost that."""

    source: QuestionSource
    state: RunState | None

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Return the decisions that answered the question, () for none."""
        return tuple(each for each in self.state.decisions if each.job == self.source.job) if self.state else ()

    @property
    def status(self) -> QuestionStatus:
        """Return whether the question is open, or how it was closed."""
        if self.decisions:
            return "answered"
        state = self.state
        if state is None or state.status != "waiting" or state.record.job_count != self.source.job:
            return "ended"
        return "expired" if state.expired else "open"

    @property
    def remind_at(self) -> float | None:
        """Return when to send a reminder of an open question, in UNIX seconds; None if it has no deadline."""
        question = self.state.question if self.state and self.status == "open" else None
        if question is None or question.asked_at is None:
            return None
        return question.asked_at.unix + question.valid_seconds * REMIND_AFTER


def run_states(state: RunState, fleet: FleetState | None) -> dict[str, RunState]:
    """Return the states of the run and of the fleet's hosts, by run."""
    hosts = (host.run for host in fleet.hosts if host.run) if fleet else ()
    return {each.record.run: each for each in (state, *hosts)}


def open_questions(states: Iterable[RunState]) -> tuple[tuple[Question, QuestionSource], ...]:
    """Return the questions that wait for an answer, with their kinds."""
    waiting = [each for each in states if each.status == "waiting" and current_decision(each) is None]
    return tuple(
        (state.question.question, QuestionSource(state.record.run, state.record.job_count, _host(state)))
        for state in waiting
        if state.question and not state.expired
    )


def describe(alert: Alert, states: Mapping[str, RunState]) -> tuple[QuestionState, ...]:
    """Return how far each question of the alert is."""
    return tuple(QuestionState(source, states.get(source.run)) for source in alert.sources)


def assign(
    alerts: Sequence[Alert], questions: Sequence[tuple[Question, QuestionSource]], may_grow: Callable[[Alert], bool]
) -> tuple[Alert, ...]:
    """Return the alerts with each question in one of them.

    A question joins the latest alert of its kind if that may grow. Otherwise it starts the next one.
    """
    assigned = list(alerts)
    for kind, source in questions:
        same_kind = [alert for alert in assigned if alert.question == kind]
        if any((source.run, source.job) == (each.run, each.job) for alert in same_kind for each in alert.sources):
            continue
        latest = same_kind[-1] if same_kind else None
        if latest and (may_grow(latest) or latest not in alerts):
            assigned[assigned.index(latest)] = replace(latest, sources=(*latest.sources, source))
        else:
            assigned.append(Alert(kind, latest.number + 1 if latest else 1, (source,)))
    return tuple(assigned)


def needs_end_alert(state: RunState, fleet: FleetState | None) -> bool:
    """Return whether people wait to hear how the run ended: it was not successful, or took long.

    A requester who cancelled the run knows. A fleet's hosts end with their fleet.
    """
    if state.record.parent_run or not fleet_state.has_ended(state, fleet):
        return False
    rejected = rejection(state)
    if rejected and rejected.user != state.record.requester:
        return True
    if _is_success(state, fleet):
        return _ended_at(state, fleet) - state.record.requested_at > LONG_RUN
    return _cancelled_by(state, fleet) != state.record.requester


def _cancelled_by(state: RunState, fleet: FleetState | None) -> str:
    """Return the user who cancelled the run, "" if no user did."""
    end = _outcome(state, fleet)
    if end is not None:
        return end.user if end.outcome == "cancelled" else ""
    decision = current_decision(state)
    return decision.user if decision else ""


def _host(state: RunState) -> str:
    host = target_host(state.record, state.question)
    return "" if host == ALL_HOSTS else host


def _is_success(state: RunState, fleet: FleetState | None) -> bool:
    end = _outcome(state, fleet)
    if state.status == "lost":
        return False
    if end is None:
        return state.question is not None and state.question.question in POST_MIGRATION_QUESTIONS
    return end.outcome in SUCCESS


def _outcome(state: RunState, fleet: FleetState | None) -> JobFinished | None:
    return fleet_state.outcome(fleet) if fleet else state.outcome


def _ended_at(state: RunState, fleet: FleetState | None) -> float:
    """Return when the last of it ended, in UNIX seconds."""
    states = run_states(state, fleet).values()
    ends = [each.finished_at for each in states if each.finished_at]
    return max((*ends, *(decision.decided_at for each in states for decision in each.decisions)), default=0.0)
