"""Test what the requester of a private answer gets: everything but buttons that work in the channel only."""

from bot.messages.block_kit import Message, button, section
from bot.messages.runs.private_answer import SHOW_LABEL, private_answer
from bot.records import RunRecord
from imker.protocol.commands import PlanHost
from lab.slack.validate_message import find_problems

RECORD = RunRecord("k3fm9x2q", PlanHost("kaditz"), "plan kaditz", "U01ALICE", "C01OPS", 1.0, is_private=True)


def test_the_answer_has_one_button_that_names_its_run() -> None:
    menu = {**section("Plan for kaditz"), "accessory": button("Migrate", "run.next.migrate", "k3fm9x2q:1", "primary")}
    asks = {"type": "actions", "elements": [button("Continue", "run.continue", "k3fm9x2q:1", "primary")]}
    answer = private_answer(RECORD, Message("Plan for kaditz", (menu, section("6 steps"), asks)))
    assert "Only you see this" in answer.text
    assert [block["type"] for block in answer.blocks] == ["section", "section", "context", "actions"]
    assert "run.continue" not in str(answer.blocks)
    assert "run.next" not in str(answer.blocks)
    (shows,) = answer.blocks[-1]["elements"]
    assert (shows["text"]["text"], shows["value"]) == (SHOW_LABEL, "k3fm9x2q")
    assert find_problems(list(answer.blocks)) == []
