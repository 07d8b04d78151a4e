"""The wire: what goes in comes out, and what is not of this contract is refused."""

import json

import pytest

from jobs import contract
from jobs.contract import Approval, Event, Migrate, NodeRow, NodeTable, Request, StepDone

MESSAGES = [
    Request("k3fm9x2q", 1, Migrate("kaditz", "manager"), "U01ALICE"),
    Request("k3fm9x2q", 2, contract.Accept("abc"), "U01ALICE", (Approval("U02BOB", "f00", 1.5),), within=("lei-*",)),
    Event("k3fm9x2q", 1, 3, 1.25, StepDone("UpgradeEngine", "installed")),
    Event("r", 1, 1, 0.0, NodeTable("connewitz", 1.0, (NodeRow("a", True, "b", "Pending", "", "", "", ""),))),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_there_and_back(message: Request | Event) -> None:
    text = contract.encode(message)
    back = contract.decode_request(text) if isinstance(message, Request) else contract.decode_event(text)
    assert back == message


@pytest.mark.parametrize("change", [{"contract": 2}, {"command": {"type": "exec"}}, {"command": None}, {"run": 7}])
def test_another_contract_is_refused(change: dict[str, object]) -> None:
    document = {**json.loads(contract.encode(MESSAGES[0])), **change}
    with pytest.raises(contract.UnknownContract):
        contract.decode_request(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"run": "x"}'])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(contract.UnknownContract):
        contract.decode_event(text)
