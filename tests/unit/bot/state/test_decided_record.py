"""Test which decisions count for a run, and that reading slots ahead never changes the result."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.records import Decision, RunRecord
from bot.state.decided_record import Slot, apply_decisions, more_slots
from imker.protocol.commands import Migrate
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event

RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)


def question(job: int, kind: str, required: int = 1) -> Event:
    body = DecisionRequested(kind, "f00d", required_approvals=required)  # type: ignore[arg-type]
    return Event("k3fm9x2q", job, 2, 0.0, body)


def decision(job: int, choice: str, user: str = "U02BOB") -> Decision:
    return Decision(job, choice, user, 1.0, "f00d")  # type: ignore[arg-type]


ASKED = EventLog((question(1, "continue"), question(2, "accept", 2)))
CONTINUED = {(1, 1): decision(1, "continue")}
CASES: dict[str, tuple[dict[Slot, Decision], tuple[int, int, int]]] = {  # job_count, decisions, partial approvals
    "none": ({}, (1, 0, 0)),
    "continued": (CONTINUED, (2, 1, 0)),
    "cancelled": ({(1, 1): decision(1, "cancel")}, (1, 1, 0)),
    "one of two approvals": ({**CONTINUED, (2, 1): decision(2, "accept")}, (2, 1, 1)),
    "two approvals": ({**CONTINUED, (2, 1): decision(2, "accept"), (2, 2): decision(2, "accept", "U1")}, (3, 3, 0)),
    "rejected after an approval": (
        {**CONTINUED, (2, 1): decision(2, "accept"), (2, 2): decision(2, "reject", "U1")}, (3, 3, 0),
    ),
    "a decision on a job that was never reached": ({(2, 1): decision(2, "accept")}, (1, 0, 0)),
    "a slot that no approval precedes": ({(1, 2): decision(1, "accept")}, (1, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize(("decisions", "expected"), CASES.values(), ids=CASES)
def test_applies_decisions(decisions: dict[Slot, Decision], expected: tuple[int, int, int]) -> None:
    record = apply_decisions(RECORD, ASKED, decisions.get)
    assert (record.job_count, len(record.decisions), len(record.partial_approvals)) == expected


def read_until_complete(log: EventLog, decisions: Mapping[Slot, Decision]) -> tuple[RunRecord, int]:
    """Apply the decisions as the loader does: read more slots when one is missing. Return also the number of reads."""
    slots, reads = {(1, 1)}, 1

    def find(slot: Slot) -> Decision | None:
        if slot not in slots:
            raise KeyError(slot)
        return decisions.get(slot)

    while True:
        try:
            return apply_decisions(RECORD, log, find), reads
        except KeyError as missing:
            slots = more_slots(slots, missing.args[0])
            reads += 1


@given(st.data())
def test_reading_ahead_finds_the_same_in_few_reads(data: st.DataObject) -> None:
    """Each read covers twice as many jobs as the one before: 40 decisions take seven reads, not 40."""
    events: list[Event] = []
    decisions: dict[Slot, Decision] = {}
    jobs = data.draw(st.integers(1, 40))
    for job in range(1, jobs + 1):
        required = data.draw(st.sampled_from([0, 0, 0, 1, 2]))  # 0: no acceptance
        events.append(question(job, "accept" if required else "continue", max(1, required)))
        choices = ["accept"] * required or ["continue"]
        decisions |= {(job, n): decision(job, choice, f"U{n}") for n, choice in enumerate(choices, 1)}
    log = EventLog(tuple(events))
    record, reads = read_until_complete(log, decisions)
    assert record == apply_decisions(RECORD, log, decisions.get)
    assert len(record.decisions) == len(decisions)
    third_slots = sum((job, 2) in decisions for job in range(1, jobs + 1))  # after two approvals one more is looked for
    assert reads <= third_slots + (3 if jobs <= 2 else 7)


def test_finds_decisions_whose_events_are_lost() -> None:
    decisions = {(job, 1): decision(job, "continue") for job in range(1, 6)}
    assert read_until_complete(EventLog(), decisions)[0].job_count == 6
