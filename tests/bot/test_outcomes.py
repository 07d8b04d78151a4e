"""Every way a run can end badly: what failed, on which host, in what state it was left, what to type next.

In the blocks, and in the text, which is all that notifications, screen readers and old clients have.
"""

from dataclasses import replace

import pytest

from bot import blocks
from bot.kit import Message
from bot.messages import mark
from bot.progress import fold
from bot.record import Decision, JobState, RunRecord, Verdict
from imker.moment import Moment
from jobs.contract import (
    Began,
    Body,
    Candidate,
    Ended,
    Event,
    Migrate,
    NodeRow,
    Nodes,
    NodeTable,
    Planned,
    Quorum,
    StepDone,
    StepLine,
    StepStarted,
    Unread,
    Waiting,
)

NOW = Moment(1_795_440_000.0, "boot", 5000.0)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
PLANNED: tuple[Body, ...] = (Began("kaditz"), Planned((StepLine("a", "Upgrade"), StepLine("b", "Join"))))
BROKEN: tuple[Body, ...] = (*PLANNED, StepStarted("a"), StepDone("a"), StepStarted("b"))
DONE: tuple[Body, ...] = (*BROKEN, StepDone("b"))
ONE_OF_TWO = "1 of 2 steps were done; what was done stays done."
NONE, RETRY, TYPED = "Nothing was changed.", "/swarm retry k3fm9x2q", "/swarm migrate kaditz"
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "kaditz", "26.1.5")
PENDING = Waiting(
    "accept", "f", CANDIDATE, Quorum(2, 0, 3, 1), asked=Moment(NOW.wall - 4000, "boot", 1000.0), seconds=1800.0
)
CONTAINERS = Waiting("containers", "f", host="kaditz", names=("web", "batch"))
STORE = Waiting("store", "f", host="kaditz", names=("consul",))
STOP = Waiting("stop", "f", host="kaditz", names=("consul",))
WARNED = Waiting("continue", "f")
CANCELLED = Ended("cancelled", "cancelled", by="U02BOB")
PAUSED = Waiting("resume", "f", summary="Done: <@U03CAROL>.", by="U02BOB")


def shown(*bodies: Body, rq: JobState = "over", said: Verdict | None = None, record: RunRecord = RECORD) -> Message:
    decisions = (Decision(1, said, "U02BOB", 9.0),) if said else ()
    events = [Event("k3fm9x2q", 1, number, float(number), body) for number, body in enumerate(bodies, 1)]
    return blocks.render(fold(replace(record, decisions=decisions), events, rq, NOW.wall, NOW))


ENDS = {
    "failed": (shown(*BROKEN, Ended("failed", "apt failed", "It runs as before.")), "apt failed", "It runs", RETRY),
    "failed, no word": (shown(*BROKEN, Ended("failed", "Imker broke")), "Imker broke", ONE_OF_TWO, RETRY),
    "failed at once": (shown(Began(), Ended("failed", "no answer", hint="Look.")), "no answer", NONE, f"Look. {RETRY}"),
    "failed, hint": (shown(Began(), Ended("failed", "x", hint="See /swarm hosts.")), "x", NONE, "See /swarm hosts."),
    "restored": (shown(*BROKEN, Ended("restored", "dockerd fails", "Old files are back.")), "dockerd", "Old", RETRY),
    "refused": (shown(*PLANNED, Ended("refused", "the disk is full", hint="Make room.")), "full", NONE, RETRY),
    "cancelled": (shown(*BROKEN, CANCELLED), "cancelled by <@U02BOB>", ONE_OF_TWO, RETRY),
    "declined": (shown(*PLANNED, WARNED, said="cancel"), "cancelled", NONE, RETRY),
    "left stopped": (shown(*DONE, CONTAINERS, said="cancel"), "do not run", "web batch", "/swarm start kaditz web"),
    "store runs on": (shown(*DONE, STOP, said="cancel"), "runs on", "It runs on kaditz.", "/swarm retire kaditz stops"),
    "store kept": (shown(*DONE, STORE, said="cancel"), "is kept", "It is stopped on kaditz.", "/swarm retire kaditz"),
    "lost": (shown(*BROKEN, rq="lost"), "job failed after “Join” began", "may have gone on", TYPED),
    "unread": (shown(*BROKEN, Unread(2)), "cannot be read", "What was done stays done.", TYPED),
    "expired": (shown(*DONE, PENDING), "not accepted in time", "it stays a worker", "/swarm accept k3fm9x2q"),
    "forgotten": (blocks.forgotten(mark(RECORD, over=True)), "has lost its data", "may still go on", TYPED),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_it_says_what_where_how_it_was_left_and_what_to_type(end: str) -> None:
    message, *said = ENDS[end]
    for words in ("kaditz", *said):
        assert words in message.text
        assert words in str(message.blocks)


def test_whose_word_it_was_is_a_name_and_what_a_host_says_is_none() -> None:
    message = shown(*BROKEN, PAUSED)
    hosts = shown(*BROKEN, Ended("failed", "<@U03CAROL> failed"))
    for said in (message.text, str(message.blocks)):
        assert "Paused by <@U02BOB>. Done: &lt;@U03CAROL&gt;." in said
    assert "<@U03CAROL>" not in f"{message.text}{message.blocks}{hosts.text}{hosts.blocks}"


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_shown_as_going_on(end: str) -> None:
    assert "in_progress" not in f"{ENDS[end][0]}"


def test_a_step_that_broke_off_is_shown_as_failed_and_one_that_goes_on_is_not() -> None:
    assert "error: Join" in shown(*BROKEN, Ended("failed", "Imker itself broke")).text
    assert "error: Join" in shown(*BROKEN, rq="lost").text
    assert "in_progress: Join" in shown(*BROKEN, rq="running").text


@pytest.mark.parametrize(
    ("stale", "lead"), [("", "✅ Nodes: done"), ("no answer from <tondi>", "⚠️ Nodes: the last known")]
)
def test_a_table_of_some_time_ago_does_not_look_like_one_of_now(stale: str, lead: str) -> None:
    row = NodeRow("abc", True, "connewitz", "Accepted", "Ready", "Active", "Leader", "26.1.5")
    table = NodeTable("connewitz", NOW.wall - 300, (row,), stale)
    record = replace(RECORD, command=Nodes(), text="nodes")
    message = shown(Began(), table, Ended("done", "1 nodes"), record=record)
    source = "⚠️ 5 min 0 s old (no answer from &lt;tondi&gt;): told by connewitz" if stale else "asked connewitz"
    assert message.text.startswith(lead)
    assert source in message.text
    assert source in str(message.blocks)
