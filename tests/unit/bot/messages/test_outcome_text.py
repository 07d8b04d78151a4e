"""Every way a run can end badly: what failed, on which host, in what state it was left, what to type next.

In the blocks, and in the text, which is all that notifications, screen readers and old clients have.
"""

from dataclasses import replace

import pytest

from bot.messages import run_message
from bot.messages.block_kit import Message
from bot.reconciler.publisher import metadata_of
from bot.records import Choice, Decision, QueueStatus, RunRecord
from bot.state.run_state import fold
from imker.clock import Timestamp
from imker.protocol.commands import ListNodes, Migrate
from imker.protocol.event_log import EventLog, UnreadableEvent
from imker.protocol.events import (
    DecisionRequested,
    Event,
    EventBody,
    JobFinished,
    JobStarted,
    NodeTable,
    Planned,
    StepDone,
    StepStarted,
)
from imker.protocol.values import Candidate, NodeRow, Quorum, StepLine

NOW = Timestamp(1_795_440_000.0, "boot", 5000.0)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
PLANNED: tuple[EventBody, ...] = (JobStarted("kaditz"), Planned((StepLine("a", "Upgrade"), StepLine("b", "Join"))))
BROKEN: tuple[EventBody, ...] = (*PLANNED, StepStarted("a"), StepDone("a"), StepStarted("b"))
DONE: tuple[EventBody, ...] = (*BROKEN, StepDone("b"))
ONE_OF_TWO = "1 of 2 steps were done; what was done stays done."
NONE, RETRY, TYPED = "Nothing was changed.", "/swarm retry k3fm9x2q", "/swarm migrate kaditz"
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "kaditz", "26.1.5")
PENDING = DecisionRequested(
    "accept",
    "f",
    CANDIDATE,
    Quorum(2, 0, 3, 1),
    asked_at=Timestamp(NOW.unix - 4000, "boot", 1000.0),
    valid_seconds=1800.0,
)
CONTAINERS = DecisionRequested("start_containers", "f", host="kaditz", names=("web", "batch"))
STORE = DecisionRequested("remove_store", "f", host="kaditz", names=("consul",))
STOP = DecisionRequested("stop_store", "f", host="kaditz", names=("consul",))
WARNED = DecisionRequested("continue", "f")
CANCELLED = JobFinished("cancelled", "cancelled", user="U02BOB")
NO_EVENTS = EventLog()
PAUSED = DecisionRequested("resume", "f", summary="Done: <@U03CAROL>.", user="U02BOB")


def render_run(
    *bodies: EventBody,
    rq: QueueStatus = "over",
    choice: Choice | None = None,
    record: RunRecord = RECORD,
    log: EventLog = NO_EVENTS,
) -> Message:
    decisions = (Decision(1, choice, "U02BOB", 9.0),) if choice else ()
    events = [Event("k3fm9x2q", 1, number, float(number), body) for number, body in enumerate(bodies, 1)]
    return run_message.render(
        fold(replace(record, decisions=decisions), replace(log, events=tuple(events)), rq, NOW.unix, NOW)
    )


ENDS = {
    "failed": (render_run(*BROKEN, JobFinished("failed", "apt failed", "It runs as before.")), "apt failed", "It runs", RETRY),
    "failed, no word": (render_run(*BROKEN, JobFinished("failed", "Imker broke")), "Imker broke", ONE_OF_TWO, RETRY),
    "failed at once": (render_run(JobStarted(), JobFinished("failed", "no answer", hint="Look.")), "no answer", NONE, f"Look. {RETRY}"),
    "failed, hint": (render_run(JobStarted(), JobFinished("failed", "x", hint="See /swarm hosts.")), "x", NONE, "See /swarm hosts."),
    "restored": (render_run(*BROKEN, JobFinished("rolled_back", "dockerd fails", "Old files are back.")), "dockerd", "Old", RETRY),
    "refused": (render_run(*PLANNED, JobFinished("refused", "the disk is full", hint="Make room.")), "full", NONE, RETRY),
    "cancelled": (render_run(*BROKEN, CANCELLED), "cancelled by <@U02BOB>", ONE_OF_TWO, RETRY),
    "declined": (render_run(*PLANNED, WARNED, choice="cancel"), "cancelled", NONE, RETRY),
    "left stopped": (render_run(*DONE, CONTAINERS, choice="cancel"), "do not run", "web batch", "/swarm start kaditz web"),
    "store runs on": (render_run(*DONE, STOP, choice="cancel"), "runs on", "It runs on kaditz.", "/swarm retire kaditz stops"),
    "store kept": (render_run(*DONE, STORE, choice="cancel"), "is kept", "It is stopped on kaditz.", "/swarm retire kaditz"),
    "lost": (render_run(*BROKEN, rq="lost"), "job failed after “Join” began", "may have gone on", TYPED),
    "unread": (render_run(*BROKEN, log=EventLog(unreadable=(UnreadableEvent(1, 3),))), "cannot be read", "What was done stays done.", TYPED),
    "expired": (render_run(*DONE, PENDING), "not accepted in time", "it stays a worker", "/swarm accept k3fm9x2q"),
    "forgotten": (run_message.run_lost_message(metadata_of(RECORD, finished=True)), "has lost its data", "may still go on", TYPED),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_it_says_what_where_how_it_was_left_and_what_to_type(end: str) -> None:
    message, *expected_texts = ENDS[end]
    for words in ("kaditz", *expected_texts):
        assert words in message.text
        assert words in str(message.blocks)


def test_whose_word_it_was_is_a_name_and_what_a_host_says_is_none() -> None:
    message = render_run(*BROKEN, PAUSED)
    hosts = render_run(*BROKEN, JobFinished("failed", "<@U03CAROL> failed"))
    for text in (message.text, str(message.blocks)):
        assert "Paused by <@U02BOB>. Done: &lt;@U03CAROL&gt;." in text
    assert "<@U03CAROL>" not in f"{message.text}{message.blocks}{hosts.text}{hosts.blocks}"


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_shown_as_going_on(end: str) -> None:
    assert "in_progress" not in f"{ENDS[end][0]}"


def test_a_step_that_broke_off_is_shown_as_failed_and_one_that_goes_on_is_not() -> None:
    assert "error: Join" in render_run(*BROKEN, JobFinished("failed", "Imker itself broke")).text
    assert "error: Join" in render_run(*BROKEN, rq="lost").text
    assert "in_progress: Join" in render_run(*BROKEN, rq="running").text


@pytest.mark.parametrize(
    ("stale", "lead"), [("", "✅ Nodes: done"), ("no answer from <tondi>", "⚠️ Nodes: the last known")]
)
def test_a_table_of_some_time_ago_does_not_look_like_one_of_now(stale: str, lead: str) -> None:
    row = NodeRow("abc", True, "connewitz", "Accepted", "Ready", "Active", "Leader", "26.1.5")
    table = NodeTable("connewitz", NOW.unix - 300, (row,), stale)
    record = replace(RECORD, command=ListNodes(), command_text="nodes")
    message = render_run(JobStarted(), table, JobFinished("done", "1 nodes"), record=record)
    source = "⚠️ 5 min 0 s old (no answer from &lt;tondi&gt;): told by connewitz" if stale else "asked connewitz"
    assert message.text.startswith(lead)
    assert source in message.text
    assert source in str(message.blocks)
