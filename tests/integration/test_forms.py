"""Test forms with real processes: open, search, submit, reject with a reason, and forged submissions."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from imker import signing
from imker.protocol import version
from lab.slack.client import VisibleMessage
from lab.slack.plain_text import view_text
from tests.integration.conftest import ALICE, BOB, CAROL, DEV, GUEST, OPS, Flow
from tests.integration.test_acceptance import queued, until, waiting_run

SHORTCUT = "swarm_form"


@pytest.fixture
def hosts(flow: Flow) -> Flow:
    """Publish an inventory, and wait until the bot knows it."""
    names = json.dumps(["kaditz", "lei-1", "tondi"])
    flow.redis.set(version.INVENTORY_KEY, signing.sign_for(flow.key, version.INVENTORY_KEY, names))

    def is_known() -> bool:
        view = open_form(flow, ALICE)
        chosen = choose(flow, ALICE, view, "plan")
        flow.workspace.close_view(ALICE, chosen)
        return any(block.get("block_id") == "host" and "min_query_length" in str(block) for block in chosen["blocks"])

    flow.wait_until(is_known)
    return flow


@pytest.fixture(autouse=True)
def _closed(flow: Flow) -> Iterator[None]:
    yield
    for user in (ALICE, BOB, CAROL):
        flow.workspace.close_modals(user)


def open_form(flow: Flow, user: str, text: str = "/swarm") -> dict[str, Any]:
    if text:
        assert flow.workspace.say(user, OPS, text)["acked"]
    else:
        assert flow.workspace.use_shortcut(user, SHORTCUT)["acked"]
    return modal_of(flow, user)


def modal_of(flow: Flow, user: str) -> dict[str, Any]:
    flow.wait_until(lambda: flow.workspace.modal(user) is not None)
    view = flow.workspace.modal(user)
    assert view is not None
    return view


def choose(flow: Flow, user: str, view: dict[str, Any], command: str) -> dict[str, Any]:
    flow.workspace.choose(user, view, "command", command)
    flow.wait_until(lambda: modal_of(flow, user)["hash"] != view["hash"])
    return modal_of(flow, user)


def offered(view: dict[str, Any]) -> set[str]:
    """Return the commands that the form offers."""
    (block,) = [block for block in view["blocks"] if block.get("block_id") == "command"]
    return {option["value"] for group in block["element"]["option_groups"] for option in group["options"]}


def run_messages(flow: Flow, text: str) -> list[VisibleMessage]:
    return [message for message in flow.workspace.visible_messages(ALICE, OPS) if text in message.plain_text]


@pytest.mark.parametrize("text", ["/swarm", ""], ids=["slash command", "shortcut"])
def test_a_form_starts_the_same_run_as_a_typed_command(hosts: Flow, text: str) -> None:
    view = choose(hosts, ALICE, open_form(hosts, ALICE, text), "migrate")
    assert hosts.workspace.search(ALICE, view, "host", "LE") == ["lei-1"]
    before = hosts.workspace.visible_messages(ALICE, OPS)[-1:]
    answer = hosts.workspace.fill_in(
        ALICE, view, command="migrate", host="lei-1", role="manager", switches=["--docker-group"]
    )
    assert answer["acked"]
    assert answer["payload"] == {}
    message = hosts.workspace.wait_for_message(ALICE, OPS, "Migrate lei-1", after=before[0].ts if before else "")
    run = hosts.run_id_of(message)
    request = queued(hosts, run, 1)
    assert (request["requester"], request["channel"]) == (ALICE, OPS)
    command = request["command"]
    assert isinstance(command, dict)
    assert {"host": "lei-1", "role": "manager", "docker_group": True}.items() <= command.items()
    assert hosts.workspace.modal(ALICE) is None


def test_a_form_offers_only_what_its_user_may(hosts: Flow) -> None:
    assert {"migrate", "migrate all", "plan", "nodes", "doctor"} <= offered(open_form(hosts, ALICE))
    reads = {"plan", "nodes", "hosts", "status", "audit", "services", "service", "watch"}
    assert offered(open_form(hosts, CAROL)) == reads


@pytest.mark.parametrize("text", ["/swarm", ""], ids=["slash command", "shortcut"])
def test_a_guest_gets_a_private_answer_and_no_form(flow: Flow, text: str) -> None:
    if text:
        flow.workspace.say(GUEST, OPS, text)
        assert flow.workspace.wait_for_message(GUEST, OPS, "Guests can't use Imker").ephemeral
        assert flow.workspace.modal(GUEST) is None
    else:
        flow.workspace.use_shortcut(GUEST, SHORTCUT)
        assert "Guests can't use Imker" in view_text(modal_of(flow, GUEST))
        assert "submit" not in modal_of(flow, GUEST)


def test_a_form_says_what_is_missing(hosts: Flow) -> None:
    view = open_form(hosts, ALICE)
    answer = hosts.workspace.fill_in(ALICE, view, command="migrate")
    assert answer["payload"] == {
        "response_action": "errors", "errors": {"command": "Choose a host for this command."},
    }  # fmt: skip
    assert hosts.workspace.modal(ALICE) == view


@pytest.mark.parametrize(
    "forgery",
    [
        {"private_metadata": "0" * 64 + ' {"channels": ["C01OPS"], "command": ""}'},
        {"private_metadata": ""},
        {"callback_id": "form.other"},
        {"callback_id": "form.reject"},
    ],
    ids=str,
)
def test_a_forged_submission_changes_nothing_and_gets_a_private_answer(hosts: Flow, forgery: dict[str, str]) -> None:
    view = choose(hosts, ALICE, open_form(hosts, ALICE), "migrate")
    values = {
        "command": {"form.choose": {"selected_option": {"value": "migrate"}}},
        "host": {"form.host": {"selected_option": {"value": "tondi"}}},
    }
    before = runs(hosts)
    answer = hosts.workspace.submit(ALICE, view["id"], values, **forgery)
    assert answer["payload"]["response_action"] == "update"
    assert "submit" not in modal_of(hosts, ALICE)
    assert runs(hosts) == before


def test_the_form_of_another_user_is_invalid(hosts: Flow) -> None:
    foreign = choose(hosts, ALICE, open_form(hosts, ALICE), "migrate")["private_metadata"]
    view = choose(hosts, CAROL, open_form(hosts, CAROL), "plan")
    values = {
        "command": {"form.choose": {"selected_option": {"value": "migrate"}}},
        "host": {"form.host": {"selected_option": {"value": "tondi"}}},
    }
    before = runs(hosts)
    hosts.workspace.submit(CAROL, view["id"], values, private_metadata=foreign)
    assert "isn't valid anymore" in view_text(modal_of(hosts, CAROL))
    assert runs(hosts) == before


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({"command": "migrate", "host": "tondi"}, "You don't have permission to migrate `tondi`"),
        ({"command": "plan", "host": "tondi", "channel": DEV}, "isn't valid anymore"),
        ({"command": "accept", "host": "tondi"}, "isn't valid anymore"),
        ({"command": "plan", "host": "tondi; reboot"}, ""),
    ],
    ids=str,
)
def test_a_submission_passes_the_same_gate_as_a_typed_command(hosts: Flow, values: dict[str, str], answer: str) -> None:
    """Carol may only read. Her client sends what its form does not offer."""
    view = choose(hosts, CAROL, open_form(hosts, CAROL), "plan")
    before = runs(hosts)
    state = {name: {"x": {"selected_option": {"value": value}}} for name, value in values.items()}
    state["host"] = {"form.host": state["host"]["x"]}
    state["command"] = {"form.choose": state["command"]["x"]}
    reply = hosts.workspace.submit(CAROL, view["id"], state)
    if answer:
        hosts.wait_until(lambda: answer in view_text(modal_of(hosts, CAROL)))
    else:
        assert reply["payload"]["errors"]
    assert runs(hosts) == before


def test_an_expired_trigger_gets_a_private_answer_in_the_channel(flow: Flow) -> None:
    flow.workspace.use_shortcut(ALICE, SHORTCUT, trigger_id="trigger.foreign")
    assert flow.workspace.wait_for_message(ALICE, OPS, "Slack didn't open the form").ephemeral
    assert flow.workspace.modal(ALICE) is None


def test_an_unknown_button_gets_a_private_answer(flow: Flow) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        flow.workspace.use_shortcut(ALICE, "unknown")
    flow.workspace.use_shortcut(ALICE, SHORTCUT, callback_id="older_form")
    assert "no longer works" in view_text(modal_of(flow, ALICE))


def test_a_rejection_has_a_reason_for_the_channel_the_audit_log_and_the_job(flow: Flow) -> None:
    run, message = waiting_run(flow)
    flow.workspace.press(BOB, message, "Reject")
    form = modal_of(flow, BOB)
    assert "`kaditz`" in view_text(form)
    assert not flow.redis.exists(f"bot:run:{run}:decision:1")
    flow.workspace.fill_in(BOB, form, reason="too old\npassword=hunter2 <!channel>")
    decided = until(flow, message, "Rejected by <@U02BOB>")
    assert "too old password=…" in decided.plain_text
    assert "<!channel>" not in decided.plain_text
    assert "The node stays a worker." in decided.plain_text
    assert queued(flow, run, 2)["command"]["type"] == "reject"  # type: ignore[index]
    flow.workspace.say(ALICE, OPS, f"/swarm audit {run}")
    assert "too old" in flow.workspace.wait_for_message(ALICE, OPS, "Latest").text


def test_a_reason_is_optional(flow: Flow) -> None:
    _, message = waiting_run(flow)
    flow.workspace.press(BOB, message, "Reject")
    flow.workspace.fill_in(BOB, modal_of(flow, BOB))
    until(flow, message, "Rejected by <@U02BOB>")


def test_reject_opens_no_form_for_who_may_not(flow: Flow) -> None:
    _, message = waiting_run(flow)
    flow.workspace.press(CAROL, message, "Reject")
    assert flow.workspace.wait_for_message(CAROL, OPS, "You don't have permission to").ephemeral
    assert flow.workspace.modal(CAROL) is None


def test_a_late_rejection_changes_nothing(flow: Flow) -> None:
    run, message = waiting_run(flow)
    flow.workspace.press(BOB, message, "Reject")
    form = modal_of(flow, BOB)
    flow.workspace.press(ALICE, message, "Accept")
    flow.workspace.say(BOB, OPS, f"/swarm accept {run}")
    until(flow, message, "Accepted by <@U02BOB>")
    flow.workspace.fill_in(BOB, form, reason="too late")
    flow.wait_until(lambda: "was already accepted" in view_text(modal_of(flow, BOB)))


def runs(flow: Flow) -> set[bytes]:
    return set(flow.redis.zrange("bot:recent", 0, -1))  # type: ignore[arg-type]
