"""A run's message when the RQ workers are of another version than the bot: it says so, and shows what it can."""

from pathlib import Path

import pytest

from bot.messages import run_message
from bot.records import QueueStatus, RunRecord
from bot.state.run_state import RunState, fold
from imker.protocol import signed
from imker.protocol.commands import Migrate
from lab.slack.validate_message import find_problems
from tests.support import streams

DATA = Path("tests/data/protocol")
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 1_795_440_000.0)
OLD = (DATA / "2-events.jsonl").read_text().splitlines()
NEW = (DATA / "3-events.jsonl").read_text().splitlines()


def fold_and_render(lines: list[str], job_state: QueueStatus) -> tuple[RunState, str]:
    entries = [("0-0", {b"event": streams.signed_entry("k3fm9x2q", line)["event"].encode()}) for line in lines]
    log = signed.decode_signed_events("k3fm9x2q", entries, streams.KEY)
    view = fold(RECORD, log, job_state, 1_795_440_060.0)
    message = run_message.render(view)
    assert find_problems(list(message.blocks)) == []
    return view, str(message)


def test_what_the_older_side_told_is_shown_as_ever() -> None:
    view, text = fold_and_render(
        [line for line in OLD if '"decision_requested"' not in line], "over"
    )  # a job ends once
    assert view.status == "over"
    assert "kaditz is in the swarm." in text
    assert "protocol version" not in text


@pytest.mark.parametrize(("job_state", "state"), [("running", "running"), ("over", "lost"), ("lost", "lost")])
def test_what_the_newer_side_tells_is_not_guessed_at(job_state: QueueStatus, state: str) -> None:
    view, text = fold_and_render(OLD[:6] + NEW, job_state)
    assert (view.status, view.other_protocol) == (state, 3)
    assert "protocol version 3; the bot and the reconciler use 2 and do not show them. Upgrade the older side." in text
    assert "Upgrade the Engine" in text, "what is understood is shown"
    assert ("How it ended cannot be read here." in text) is (state == "lost")
    assert "RQ reports" not in text


def test_an_end_that_is_understood_counts_whatever_came_before() -> None:
    view, text = fold_and_render([*NEW[:1], *OLD[-1:]], "over")
    assert view.status == "over"
    assert "kaditz is in the swarm." in text
    assert "Upgrade the older side." in text
