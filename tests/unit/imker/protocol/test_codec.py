"""Messages are decoded as they were encoded. Everything else is rejected."""

import json

import pytest

from imker.protocol import codec, commands
from imker.protocol.commands import Approval, Migrate, Request
from imker.protocol.events import Event, JobFinished, NodeTable, StepDone
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.values import NodeRow

NEXT = (NextCommand(BotCommand("retry", "k3fm9x2q")), NextCommand(Migrate("kaditz", "manager"), "migrate it"))
MESSAGES = [
    Request("k3fm9x2q", 1, Migrate("kaditz", "manager"), "U01ALICE"),
    Request(
        "k3fm9x2q", 2, commands.Accept("abc"), "U01ALICE", (Approval("U02BOB", "f00", 1.5),), allowed_hosts=("lei-*",)
    ),
    Event("k3fm9x2q", 1, 3, 1.25, StepDone("UpgradeEngine", "installed")),
    Event("k3fm9x2q", 1, 4, 1.25, JobFinished("failed", "(why)", next_commands=NEXT)),
    Event("r", 1, 1, 0.0, NodeTable("connewitz", 1.0, (NodeRow("a", True, "b", "Pending", "", "", "", ""),))),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_decodes_what_it_encoded(message: Request | Event) -> None:
    text = codec.encode_message(message)
    decoded = codec.decode_request(text) if isinstance(message, Request) else codec.decode_event(text)
    assert decoded == message


@pytest.mark.parametrize("suggested", [None, [{"command": {"type": "newer"}}], "x", [1]])
def test_reads_an_outcome_without_commands_or_with_unknown_ones(suggested: object) -> None:
    document = json.loads(
        codec.encode_message(Event("r", 1, 1, 0.0, JobFinished("failed", "(why)", next_commands=NEXT)))
    )
    del document["body"]["next_commands"]
    if suggested is not None:
        document["body"]["next_commands"] = suggested
    assert codec.decode_event(json.dumps(document)).body == JobFinished("failed", "(why)")


@pytest.mark.parametrize(
    "change", [{"protocol_version": 3}, {"command": {"type": "exec"}}, {"command": None}, {"run": 7}]
)
def test_rejects_another_version_or_malformed_request(change: dict[str, object]) -> None:
    document = {**json.loads(codec.encode_message(MESSAGES[0])), **change}
    with pytest.raises(codec.UnsupportedVersion):
        codec.decode_request(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"run": "x"}'])
def test_rejects_text_that_is_no_message(text: str) -> None:
    with pytest.raises(codec.UnsupportedVersion):
        codec.decode_event(text)
