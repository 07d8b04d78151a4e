"""Test how a run's message ends: what failed, on which host, the state it left, and what to type next.

Each part must be in the blocks and in the text, which notifications, screen readers, and old clients show.
"""

from dataclasses import replace

import pytest

from bot.messages.block_kit import Message
from bot.messages.runs import run_message
from bot.reconciler.publisher import metadata_of
from bot.records import Choice, Decision, QueueStatus, RunRecord
from bot.state.run_state import fold
from imker.clock import Timestamp
from imker.protocol.commands import ListHosts, ListNodes, Migrate
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
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Candidate, NodeRow, Quorum, StepLine

NOW = Timestamp(1_795_440_000.0, "boot", 5000.0)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
PLANNED: tuple[EventBody, ...] = (JobStarted("kaditz"), Planned((StepLine("a", "Upgrade"), StepLine("b", "Join"))))
BROKEN: tuple[EventBody, ...] = (*PLANNED, StepStarted("a"), StepDone("a"), StepStarted("b"))
DONE: tuple[EventBody, ...] = (*BROKEN, StepDone("b"))
ONE_OF_TWO = "1 of 2 steps completed. Completed steps are kept."
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
PAUSED = DecisionRequested("resume", "f", summary="Done: <@U03CAROL>.", user="U02BOB")

NO_EVENTS = EventLog()
OTHER_VERSION = EventLog(unreadable=(UnreadableEvent(1, 3),))


def render_run(
    *bodies: EventBody,
    rq: QueueStatus = "finished",
    choice: Choice | None = None,
    record: RunRecord = RECORD,
    log: EventLog = NO_EVENTS,
) -> Message:
    decisions = (Decision(1, choice, "U02BOB", 9.0),) if choice else ()
    events = [Event("k3fm9x2q", 1, number, float(number), body) for number, body in enumerate(bodies, 1)]
    return run_message.render(
        fold(replace(record, decisions=decisions), replace(log, events=tuple(events)), rq, NOW.unix, NOW)
    )


RECENT = replace(RECORD, requested_at=NOW.unix)
LOST_RUN = run_message.run_lost_message(metadata_of(RECORD, is_final=True))
ENDS = {
    "failed": (
        render_run(*BROKEN, JobFinished("failed", "apt failed", "It runs as before.")),
        ("apt failed", "It runs", RETRY),
    ),
    "failed without a state": (
        render_run(*BROKEN, JobFinished("failed", "Imker broke")),
        ("Imker broke", ONE_OF_TWO, RETRY),
    ),
    "failed at once": (
        render_run(JobStarted(), JobFinished("failed", "no answer", hint="Look.")),
        ("no answer", NONE, f"Look. Run `{RETRY}`"),
    ),
    "failed with a command as hint": (
        render_run(JobStarted(), JobFinished("failed", "x", next_commands=(NextCommand(ListHosts()),))),
        ("x", NONE, "See `/swarm hosts`."),
    ),
    "rolled back": (
        render_run(*BROKEN, JobFinished("rolled_back", "dockerd fails", "Old files are back.")),
        ("rolled back", "dockerd", "Old", RETRY),
    ),
    "refused": (
        render_run(*PLANNED, JobFinished("refused", "the disk is full", hint="Make room.")),
        ("rejected", "full", NONE, RETRY),
    ),
    "cancelled": (render_run(*BROKEN, CANCELLED), ("cancelled by <@U02BOB>", ONE_OF_TWO, RETRY)),
    "declined": (render_run(*PLANNED, WARNED, choice="cancel"), ("cancelled", NONE, RETRY)),
    "containers not running": (
        render_run(*DONE, CONTAINERS, choice="cancel"),
        ("not running", "web, batch", "To start them, type `/swarm start kaditz web batch`."),
    ),
    "store is running": (
        render_run(*DONE, STOP, choice="cancel"),
        ("The key-value store on kaditz is running.", "To stop it, type `/swarm retire kaditz`."),
    ),
    "store is kept": (
        render_run(*DONE, STORE, choice="cancel"),
        ("is kept", "The key-value store on kaditz is stopped.", "To remove it, type `/swarm retire kaditz`."),
    ),
    "lost": (render_run(*BROKEN, rq="lost"), ("stopped during “Join”", "may still be running on the host", RETRY)),
    "lost before the first step": (
        render_run(JobStarted(), rq="lost", record=RECENT),
        ("stopped before the first step", RETRY),
    ),
    "not started": (render_run(rq="lost"), ("Expired: the job didn't start within 24 hours", NONE, TYPED)),
    "not readable": (render_run(*BROKEN, log=OTHER_VERSION), ("cannot be read", "Completed steps are kept.", RETRY)),
    "expired": (
        render_run(*DONE, PENDING),
        ("expired: not accepted in time", "the node stays a worker", "/swarm accept k3fm9x2q"),
    ),
    "lost by Redis": (LOST_RUN, ("Redis lost its data", "may still be running on the host", TYPED)),
}


@pytest.mark.parametrize("end", ENDS)
def test_names_reason_host_state_and_next_command(end: str) -> None:
    message, expected_texts = ENDS[end]
    for expected in ("kaditz", *expected_texts):
        assert expected in message.text
        assert expected in str(message.blocks)


def test_mentions_the_user_who_decided_but_no_user_in_a_hosts_text() -> None:
    message = render_run(*BROKEN, PAUSED)
    failed = render_run(*BROKEN, JobFinished("failed", "<@U03CAROL> failed"))
    for text in (message.text, str(message.blocks)):
        assert "Paused by <@U02BOB>. Done: &lt;@U03CAROL&gt;." in text
    assert "<@U03CAROL>" not in f"{message.text}{message.blocks}{failed.text}{failed.blocks}"


@pytest.mark.parametrize("end", ENDS)
def test_shows_no_step_as_running(end: str) -> None:
    assert "in_progress" not in f"{ENDS[end][0]}"


def test_shows_an_interrupted_step_as_failed_and_a_running_one_as_running() -> None:
    assert "error: Join" in render_run(*BROKEN, JobFinished("failed", "Imker hit an internal error")).text
    assert "error: Join" in render_run(*BROKEN, rq="lost").text
    assert "in_progress: Join" in render_run(*BROKEN, rq="running").text


@pytest.mark.parametrize(
    ("stale", "lead"),
    [
        ("", "✅ 1 node, all Ready; 1 manager (survives no loss)"),
        ("no answer from <tondi>", "⚠️ No manager answers: last known table, 1 node"),
    ],
)
def test_marks_an_old_table(stale: str, lead: str) -> None:
    row = NodeRow("abc", True, "connewitz", "Accepted", "Ready", "Active", "Leader", "26.1.5")
    table = NodeTable("connewitz", NOW.unix - 300, (row,), stale)
    record = replace(RECORD, command=ListNodes(), command_text="nodes")
    message = render_run(JobStarted(), table, JobFinished("done", "1 nodes"), record=record)
    source = (
        "⚠️ 5 min 0 s old (no answer from &lt;tondi&gt;), reported by connewitz" if stale else "Reported by connewitz"
    )
    assert message.text.startswith(lead)
    assert source in message.text
    assert source in str(message.blocks)
