"""Test the Home tab, the help's buttons, and the welcome with real processes."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from imker import signing
from imker.protocol import version
from imker.protocol.events import JobFinished, JobStarted, NodeTable
from imker.protocol.values import NodeRow
from jobs.handlers.nodes import _TABLE_ADAPTER
from lab.slack.plain_text import view_text
from tests.integration.conftest import ALICE, BOB, CAROL, DEV, GUEST, OPS, Flow
from tests.integration.test_acceptance import until, waiting_run
from tests.integration.test_forms import modal_of, offered, runs


def node(name: str, manager: str = "", status: str = "Ready") -> NodeRow:
    return NodeRow(f"{name}id", False, name, "Accepted", status, "Active", manager, "26.1.5")


@pytest.fixture(autouse=True)
def _closed(flow: Flow) -> Iterator[None]:
    yield
    for user in (ALICE, BOB, CAROL):
        flow.workspace.close_modals(user)


def open_home(flow: Flow, user: str, *expected: str, seconds: float = 20) -> dict[str, Any]:
    """Open Home and return it once it contains the texts."""
    flow.workspace.open_home(user)

    def is_visible() -> bool:
        view = flow.workspace.home(user)
        return view is not None and all(text in view_text(view) for text in expected)

    deadline = time.monotonic() + seconds
    while not is_visible():
        assert time.monotonic() < deadline, view_text(flow.workspace.home(user) or {"blocks": []})
        time.sleep(0.1)
    view = flow.workspace.home(user)
    assert view is not None
    return view


def action_of(view: dict[str, Any], run: str, label: str) -> str:
    """Return the action_id of a button in the block of this run."""
    (block,) = [block for block in view["blocks"] if block.get("block_id") == f"home {run}"]
    (action_id,) = [button["action_id"] for button in block["elements"] if button["text"]["text"] == label]
    return str(action_id)


def press_in_home(flow: Flow, user: str, run: str, action: str, job: int = 1) -> None:
    view = flow.workspace.home(user)
    assert view is not None
    flow.workspace.press_in_view(user, view, action, value=f"{run}:{job}")


def test_home_shows_the_swarm_and_what_waits_for_its_reader(flow: Flow) -> None:
    table = NodeTable("tondi", time.time(), (node("tondi", "Leader"), node("lausen", "Reachable"), node("kaditz")))
    stored = signing.sign_for(flow.key, version.LAST_NODES_KEY, _TABLE_ADAPTER.dump_json(table).decode())
    flow.redis.set(version.LAST_NODES_KEY, stored)
    run, message = waiting_run(flow)
    home = open_home(flow, BOB, "3 nodes, all Ready; 2 managers (survives no loss)", run, "sees node")
    assert "What you may do" in view_text(home)
    press_in_home(flow, BOB, run, action_of(home, run, "Accept"))
    until(flow, message, "Accepted by <@U02BOB>")
    flow.emit(run, JobStarted("kaditz"), JobFinished("done", "kaditz is a manager now."), job=2)
    flow.wait_until(lambda: f"home {run}" not in waiting(flow, BOB))


def waiting(flow: Flow, user: str) -> list[str]:
    """Return the blocks of the questions that the user's Home tab shows."""
    view = flow.workspace.home(user) or {"blocks": []}
    return [block["block_id"] for block in view["blocks"] if block.get("block_id", "").startswith("home ")]


def test_home_changes_without_being_opened_again_and_seldom(flow: Flow) -> None:
    open_home(flow, CAROL, "What you may do")
    published = len(published_for(flow, CAROL))
    message = flow.send_command("/swarm plan tondi", "queued")
    run = flow.run_id_of(message)
    flow.wait_until(lambda: run in view_text(flow.workspace.home(CAROL) or {"blocks": []}))
    flow.emit(run, JobStarted("tondi"), JobFinished("done", "Nothing was changed."))
    flow.wait_until(lambda: line_of(flow, CAROL, run).startswith("✅"))
    calls = published_for(flow, CAROL)
    assert len(calls) > published
    times = [call["at"] for call in calls]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 9.5


def line_of(flow: Flow, user: str, run: str) -> str:
    """Return the line of the Home tab about this run, "" if there is none."""
    lines = view_text(flow.workspace.home(user) or {"blocks": []}).splitlines()
    return next((line for line in lines if run in line), "")


def published_for(flow: Flow, user: str) -> list[dict[str, Any]]:
    return [call for call in flow.workspace.calls("views.publish") if call["arguments"]["user_id"] == user]


def test_home_shows_no_button_and_no_run_without_the_right(flow: Flow) -> None:
    run, _ = waiting_run(flow)
    home = open_home(flow, CAROL, run)
    assert f"home {run}" not in [block.get("block_id") for block in home["blocks"]]
    assert "/swarm migrate" not in view_text(home)
    press_foreign_button(flow, CAROL, run)
    assert "You don't have permission to accept `kaditz`" in view_text(modal_of(flow, CAROL))
    assert not flow.redis.exists(f"bot:run:{run}:decision:1")


def press_foreign_button(flow: Flow, user: str, run: str) -> None:
    """Press, in the user's own Home tab, a button that it does not show or no longer shows."""
    home = flow.workspace.home(user)
    assert home is not None
    first = next(block for block in home["blocks"] if block["type"] == "actions")["elements"][0]["action_id"]
    flow.workspace.press_in_view(user, home, first, action_id="run.accept", value=f"{run}:1")


def test_home_of_a_guest_says_only_that(flow: Flow) -> None:
    home = open_home(flow, GUEST, "Guests can't use Imker")
    assert [block["type"] for block in home["blocks"]] == ["section"]


def test_a_stale_button_in_home_changes_nothing(flow: Flow) -> None:
    run, message = waiting_run(flow)
    open_home(flow, BOB, run)
    stale = flow.workspace.home(BOB)
    assert stale is not None
    flow.workspace.say(BOB, OPS, f"/swarm accept {run}")
    until(flow, message, "Accepted by <@U02BOB>")
    flow.emit(run, JobStarted("kaditz"), JobFinished("done", "kaditz is a manager now."), job=2)
    before = set(flow.redis.keys("rq:job:*"))  # type: ignore[arg-type]
    press_foreign_button(flow, BOB, run)
    assert "was already accepted by" in view_text(modal_of(flow, BOB))
    assert set(flow.redis.keys("rq:job:*")) == before  # type: ignore[arg-type]


def test_home_opens_the_form_with_its_command(flow: Flow) -> None:
    home = open_home(flow, ALICE, "What you may do")
    flow.workspace.press_in_view(ALICE, home, "form.open.migrate")
    form = modal_of(flow, ALICE)
    (block,) = [block for block in form["blocks"] if block.get("block_id") == "command"]
    assert block["element"]["initial_option"]["value"] == "migrate"
    assert "nodes" in offered(form)


def test_home_rejects_with_a_reason(flow: Flow) -> None:
    run, message = waiting_run(flow)
    home = open_home(flow, BOB, run)
    press_in_home(flow, BOB, run, action_of(home, run, "Reject"))
    flow.workspace.fill_in(BOB, modal_of(flow, BOB), reason="not this week")
    until(flow, message, "not this week")


def test_the_buttons_of_the_help_work(flow: Flow) -> None:
    flow.workspace.say(CAROL, OPS, "/swarm help")
    message = flow.workspace.wait_for_message(CAROL, OPS, "Commands that you can use here")
    assert message.buttons == ["Plan a host", "Nodes", "Hosts", "Status"]
    before = runs(flow)
    flow.workspace.press(CAROL, message, "Nodes")
    flow.wait_until(lambda: runs(flow) != before)
    flow.workspace.press(CAROL, message, "Plan a host")
    assert "migrate" not in offered(modal_of(flow, CAROL))
    flow.workspace.press(CAROL, message, "Status", value="migrate all")
    flow.workspace.wait_for_message(CAROL, OPS, "You don't have permission to use `/swarm migrate all`")


def test_welcomes_a_channel_once_and_alerts_nobody(flow: Flow) -> None:
    flow.workspace.set_channel(DEV, app=True, inviter=ALICE)
    message = flow.workspace.wait_for_message(ALICE, DEV, "this channel is not configured")
    assert "<#C01OPS>" in message.plain_text
    flow.workspace.set_channel(OPS, app=False)
    flow.workspace.set_channel(OPS, app=True, inviter=ALICE)
    welcome = flow.workspace.wait_for_message(ALICE, OPS, "*accept* (accept new managers): <@U01ALICE>")
    assert "every member of the workspace" in welcome.plain_text
    first = next(
        call for call in flow.workspace.calls("chat.postMessage") if "moves Docker hosts" in call["arguments"]["text"]
    )
    assert "<@" not in str(first["arguments"]["blocks"])
    flow.workspace.set_channel(OPS, app=False)
    flow.workspace.set_channel(OPS, app=True, inviter=ALICE)
    flow.wait_until(lambda: flow.redis.scard("bot:welcome") == 0)
    texts = [message.text for message in flow.workspace.visible_messages(ALICE, OPS)]
    assert sum("moves Docker hosts" in text for text in texts) == 1
