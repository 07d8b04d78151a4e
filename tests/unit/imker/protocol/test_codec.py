"""Messages are decoded as they were encoded. Everything else is rejected."""

import json

import pytest

from imker.protocol import codec, commands
from imker.protocol.commands import Approval, Migrate, Request
from imker.protocol.events import Event, NodeTable, StepDone
from imker.protocol.values import NodeRow

MESSAGES = [
    Request("k3fm9x2q", 1, Migrate("kaditz", "manager"), "U01ALICE"),
    Request(
        "k3fm9x2q", 2, commands.Accept("abc"), "U01ALICE", (Approval("U02BOB", "f00", 1.5),), allowed_hosts=("lei-*",)
    ),
    Event("k3fm9x2q", 1, 3, 1.25, StepDone("UpgradeEngine", "installed")),
    Event("r", 1, 1, 0.0, NodeTable("connewitz", 1.0, (NodeRow("a", True, "b", "Pending", "", "", "", ""),))),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_decodes_what_it_encoded(message: Request | Event) -> None:
    text = codec.encode_message(message)
    decoded = codec.decode_request(text) if isinstance(message, Request) else codec.decode_event(text)
    assert decoded == message


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
