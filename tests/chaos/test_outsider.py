"""Which command of the user without a right a private reply answers."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from lab.chaos.outsider import CAROL, Outsider
from lab.chaos.users import SentCommand
from lab.slack.client import VisibleMessage

DENIED = "You don't have permission to {} (requires `change`)."
RESTART, DRAIN = DENIED.format("use `/swarm restart` on service `web`"), DENIED.format("drain `lausen`")
UNKNOWN = "Slack didn't return your profile. Try again in a minute."


@pytest.mark.parametrize(
    ("sent", "replies", "unanswered"),
    [
        ([("restart web", True)], [], ["restart web"]),
        ([("restart web", True)], [RESTART], []),
        ([("restart web", True)], [UNKNOWN], []),
        ([("drain lausen", True), ("restart web", True)], [RESTART], ["drain lausen"]),
        ([("drain lausen", True), ("restart web", True)], [RESTART, DRAIN], []),
        ([("drain lausen", False), ("restart web", True)], [RESTART], ["drain lausen"]),
        ([("drain lausen", False), ("restart web", True)], [UNKNOWN], ["drain lausen"]),
        ([("restart web", True), ("restart web", True)], [RESTART], ["restart web"]),
    ],
)
def test_assigns_each_reply_to_one_command(
    sent: list[tuple[str, bool]], replies: list[str], unanswered: list[str]
) -> None:
    messages = [
        VisibleMessage({"ts": str(number), "text": text, "ephemeral": user == CAROL, "blocks": []})
        for number, (user, text) in enumerate([("U01ALICE", RESTART), *((CAROL, text) for text in replies)])
    ]
    workspace: Any = SimpleNamespace(visible_messages=lambda user, channel: messages)
    outsider = Outsider(workspace, random.Random(1))
    outsider.sent_commands += [SentCommand(f"/swarm {text}", 0.0, acked) for text, acked in sent]
    outsider.read_replies()
    outsider.read_replies()
    assert [each.text for each in outsider.sent_commands if not each.answer] == [
        f"/swarm {text}" for text in unanswered
    ]
