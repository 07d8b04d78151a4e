"""Apply the decisions on a run's questions to its record. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from bot.records import FINAL_CHOICES, Decision, RunRecord
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested

Slot = tuple[int, int]  # a job, and the number of a decision on its question; both count from 1
FindDecision = Callable[[Slot], Decision | None]
JOBS_AHEAD, MAX_APPROVALS = 10, 10  # limits of `next_slots`: events do not decide how much is read at once


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


def next_slots(log: EventLog, job: int) -> set[Slot]:
    """Return the slots, from this job on, that show how far the run is decided, if no event is lost."""
    jobs = range(job, min(log.last_job, job + JOBS_AHEAD) + 2)
    return {(each, number) for each in jobs for number in range(1, _slot_count(log, each) + 1)}


def _slot_count(log: EventLog, job: int) -> int:
    """Return how many slots to read: an approval may be followed by another decision, any other one may not."""
    question = question_of(log, job)
    return min(question.required_approvals, MAX_APPROVALS) + 1 if question and question.question == "accept" else 1


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
