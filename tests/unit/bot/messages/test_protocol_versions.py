"""Test a run's message when the RQ workers use another protocol version than the bot."""

from pathlib import Path

import pytest

from bot.messages.runs import run_message
from bot.records import QueueStatus, RunRecord
from bot.state.run_state import RunState, fold
from imker.protocol import signed
from imker.protocol.commands import Migrate
from lab.slack.validate_message import find_problems
from tests.support import streams

DATA = Path("tests/data/protocol")
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 1_795_440_000.0)
CURRENT = (DATA / "2-events.jsonl").read_text().splitlines()
NEWER = (DATA / "3-events.jsonl").read_text().splitlines()


def fold_and_render(lines: list[str], job_status: QueueStatus) -> tuple[RunState, str]:
    entries = [("0-0", {b"event": streams.signed_entry("k3fm9x2q", line)["event"].encode()}) for line in lines]
    log = signed.decode_signed_events("k3fm9x2q", entries, streams.KEY)
    state = fold(RECORD, log, job_status, 1_795_440_060.0)
    message = run_message.render(state)
    assert find_problems(list(message.blocks)) == []
    return state, str(message)


def test_shows_events_of_the_current_version() -> None:
    lines = [line for line in CURRENT if '"decision_requested"' not in line]  # a job ends with one outcome
    state, text = fold_and_render(lines, "finished")
    assert state.status == "finished"
    assert "*kaditz is in the swarm*" in text
    assert "protocol version" not in text


@pytest.mark.parametrize(("job_status", "status"), [("running", "running"), ("finished", "lost"), ("lost", "lost")])
def test_hides_events_of_a_newer_version_and_warns(job_status: QueueStatus, status: str) -> None:
    state, text = fold_and_render(CURRENT[:6] + NEWER, job_status)
    assert (state.status, state.other_protocol) == (status, 3)
    assert "use protocol version 3 and are hidden: the bot and the reconciler use version 2. Upgrade the" in text
    assert "Upgrade the Engine" in text, "readable events are shown"
    assert ("This run's outcome cannot be read." in text) is (status == "lost")
    assert "The RQ worker stopped" not in text


def test_shows_a_readable_outcome_after_unreadable_events() -> None:
    outcome = next(line for line in reversed(CURRENT) if '"job_finished"' in line)
    state, text = fold_and_render([NEWER[0], outcome], "finished")
    assert state.status == "finished"
    assert "*kaditz is in the swarm*" in text
    assert "Upgrade the older side." in text
