"""Apply the decisions on a run's questions to its record. Pure."""

from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from itertools import count, product

from bot.records import FINAL_CHOICES, Decision, RunRecord
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested

Slot = tuple[int, int]  # a job, and the number of a decision on its question; both count from 1
FindDecision = Callable[[Slot], Decision | None]


def apply_decisions(record: RunRecord, log: EventLog, find: FindDecision) -> RunRecord:
    """Return the record with all decisions on it.

    Each decision that leads to another job raises `job_count` by one. `find`: returns the decision in a slot.
    """
    while decisions := tuple(_decisions_of(record.job_count, find)):
        last = decisions[-1]
        if last.choice == "accept" and len(decisions) < _required_approvals(log, record.job_count):
            return replace(record, partial_approvals=decisions)
        record = replace(record, decisions=(*record.decisions, *decisions))
        if last.choice in FINAL_CHOICES:
            break
        record = replace(record, job_count=record.job_count + 1)
    return record


def question_of(log: EventLog, job: int) -> DecisionRequested | None:
    """Return the question that this job ended with, None if it ended without one."""
    outcome = log.outcome_of(job)
    return outcome if isinstance(outcome, DecisionRequested) else None


def more_slots(slots: Set[Slot], missing: Slot) -> set[Slot]:
    """Return twice as many slots and more, from the missing one on: no run takes many reads."""
    job = missing[0]
    return {*slots, missing, *product(range(job, job + len(slots) + 1), (1, 2))}


def _decisions_of(job: int, find: FindDecision) -> Iterator[Decision]:
    """Yield the decisions on this job's question, in order: approvals, and what closes the question."""
    for number in count(1):
        decision = find((job, number))
        if decision is None:
            return
        yield decision
        if decision.choice != "accept":
            return


def _required_approvals(log: EventLog, job: int) -> int:
    question = question_of(log, job)
    return question.required_approvals if question else 1
