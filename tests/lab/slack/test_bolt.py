"""The fake Slack with the real slack_bolt over Socket Mode: commands, buttons, modals, the home tab, and faults."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from slack_sdk.errors import SlackApiError

from lab.slack.client import Workspace
from tests.support.bolt_app import ReceivedEvents, actions, button, run_app, wait_until, web_client

pytestmark = pytest.mark.processes

ALICE, BOB, OPS = "U01ALICE", "U02BOB", "C01OPS"


@pytest.fixture(scope="module")
def received(slack: Workspace) -> Iterator[ReceivedEvents]:
    with run_app(slack) as app:
        yield app


@pytest.fixture(autouse=True)
def _well(slack: Workspace) -> Iterator[None]:
    yield
    slack.clear_faults()


# --- user actions ------------------------------------------------------------------------------------------------


def test_delivers_a_button_press(slack: Workspace, received: ReceivedEvents) -> None:
    row = [actions(button("Accept", "run.accept", "k3fm9x2q:1"))]
    ts = received.client.chat_postMessage(channel=OPS, text="accept?", blocks=row)["ts"]
    message = slack.wait_for_message(BOB, OPS, lambda visible: visible.ts == ts)
    assert slack.press(BOB, message, "Accept")["acked"]
    assert ("run.accept", BOB, "k3fm9x2q:1") in received.events
    assert slack.press(BOB, message, "Accept", value="forged")["acked"]
    assert received.events[-1] == ("run.accept", BOB, "forged")


DIALOG = {
    "title": {"type": "plain_text", "text": "Reject?"},
    "text": {"type": "plain_text", "text": "It stays a worker."},
}
MENU = {
    "type": "overflow",
    "action_id": "run.more",
    "options": [{"text": {"type": "plain_text", "text": each}, "value": f"x:1:{each}"} for each in ("Pause", "Cancel")],
}


def test_a_button_with_a_dialog_sends_nothing_until_it_is_confirmed(slack: Workspace, received: ReceivedEvents) -> None:
    row = [actions({**button("Reject", "run.accept", "with a dialog"), "confirm": DIALOG}, button("Go", "run.delete"))]
    ts = received.client.chat_postMessage(channel=OPS, text="reject?", blocks=row)["ts"]
    message = slack.wait_for_message(BOB, OPS, lambda visible: visible.ts == ts)
    assert message.dialog("Reject") == DIALOG
    assert message.dialog("Go") == {}
    pressed = ("run.accept", BOB, "with a dialog")
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        slack.press(BOB, message, "Reject", dialog="")
    assert slack.press(BOB, message, "Reject", dialog="deny")["denied"]
    assert pressed not in received.events
    assert slack.press(BOB, message, "Reject")["acked"]
    assert pressed in received.events
    unexpected = {"user": BOB, "ts": ts, "action_id": "run.delete", "dialog": "confirm"}
    assert httpx.post(f"{slack.url}/lab/press", json=unexpected, trust_env=False).json() == {"error": "no_such_dialog"}


def test_a_menu_sends_the_chosen_option(slack: Workspace, received: ReceivedEvents) -> None:
    section = {"type": "section", "text": {"type": "plain_text", "text": "a run"}, "accessory": MENU}
    ts = received.client.chat_postMessage(channel=OPS, text="menu", blocks=[section])["ts"]
    message = slack.wait_for_message(BOB, OPS, lambda visible: visible.ts == ts)
    assert (message.menu, message.buttons) == (["Pause", "Cancel"], [])
    assert slack.press(BOB, message, "Cancel")["acked"]
    assert received.events[-1] == ("run.more", BOB, "x:1:Cancel")
    other = {"user": BOB, "ts": ts, "action_id": "run.more", "option": "x:1:Remove"}
    assert httpx.post(f"{slack.url}/lab/press", json=other, trust_env=False).json() == {"error": "no_such_option"}


@pytest.mark.parametrize(("action", "remaining"), [("run.replace", ["decided"]), ("run.delete", [])])
def test_a_press_can_replace_or_delete_the_message(
    slack: Workspace, received: ReceivedEvents, action: str, remaining: list[str]
) -> None:
    response = received.client.chat_postMessage(channel=OPS, text="decide", blocks=[actions(button("Go", action))])
    message = slack.wait_for_message(ALICE, OPS, lambda visible: visible.ts == response["ts"])
    slack.press(ALICE, message, "Go")

    def now() -> list[str]:
        return [current.text for current in slack.visible_messages(BOB, OPS) if current.ts == response["ts"]]

    wait_until(lambda: now() == remaining)


def test_opens_presses_and_submits_a_modal(slack: Workspace, received: ReceivedEvents) -> None:
    assert slack.say(ALICE, OPS, "/swarm modal")["acked"]
    wait_until(lambda: slack.views(ALICE))
    (view,) = slack.views(ALICE)
    with pytest.raises(httpx.HTTPStatusError):
        slack.submit(BOB, view["id"], {})
    assert slack.press_in_view(ALICE, view, "view.more")["acked"]
    assert received.events[-1][:2] == ("view.more", ALICE)
    short, long = ({"b": {"a": {"value": value}}} for value in ("short", "because"))
    assert slack.submit(ALICE, view["id"], short)["payload"]["errors"] == {"b": "say more"}
    assert slack.submit(ALICE, view["id"], long)["payload"] == {}
    wait_until(lambda: received.events[-1] == ("submitted", ALICE, "because"))
    assert slack.views(ALICE) == []
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        received.client.views_open(trigger_id=received.triggers[-1], view={})


def test_publishes_the_home_tab_and_presses_its_button(slack: Workspace, received: ReceivedEvents) -> None:
    slack.open_home(BOB)
    wait_until(lambda: [view["type"] for view in slack.views(BOB)] == ["home"])
    assert slack.press_in_view(BOB, slack.views(BOB)[0], "view.refresh")["acked"]
    assert received.events[-1][:2] == ("view.refresh", BOB)


def test_posts_a_mention_and_receives_a_reply_in_its_thread(slack: Workspace, received: ReceivedEvents) -> None:
    assert slack.say(ALICE, OPS, "nodes, please")["acked"]
    message = slack.wait_for_message(BOB, OPS, "nodes, please")
    assert message.raw["user"] == ALICE
    wait_until(
        lambda: any(
            visible.thread_ts == message.ts and visible.text == "yes?" for visible in slack.visible_messages(BOB, OPS)
        )
    )


def test_a_response_url_accepts_five_replies(slack: Workspace, received: ReceivedEvents) -> None:
    slack.say(ALICE, OPS, "/swarm six times")
    wait_until(lambda: received.statuses == [200] * 5 + [404])
    assert slack.wait_for_message(ALICE, OPS, "answer 4").ephemeral


# --- faults --------------------------------------------------------------------------------------------------------


def test_delivers_an_envelope_three_times_and_late(slack: Workspace, received: ReceivedEvents) -> None:
    slack.set_fault("repeat", method="socket")
    slack.say(ALICE, OPS, "/swarm again")
    wait_until(lambda: received.count("again") == 3)
    slack.set_fault("late", method="socket", seconds=0.5)
    began = time.monotonic()
    assert slack.say(ALICE, OPS, "/swarm late")["acked"]
    assert time.monotonic() - began > 0.5
    assert received.count("late") == 1


def test_repeats_an_envelope_on_another_connection(slack: Workspace, received: ReceivedEvents) -> None:
    with run_app(slack) as other:
        slack.set_fault("repeat", method="socket")
        slack.say(ALICE, OPS, "/swarm to both")
        wait_until(lambda: received.count("to both") + other.count("to both") == 3)
        assert received.count("to both")
        assert other.count("to both")
    wait_until(lambda: slack.connection_count() == 1)


def test_the_app_reconnects_after_a_refresh(slack: Workspace, received: ReceivedEvents) -> None:
    before = received.handler.client.current_session.session_id
    slack.set_fault("disconnect", reason="refresh_requested")
    wait_until(lambda: received.handler.client.current_session.session_id != before)
    wait_until(lambda: slack.say(ALICE, OPS, "/swarm still there")["acked"])
    wait_until(lambda: received.count("still there"))
    assert slack.connection_count() == 1


def test_a_deafened_connection_gets_no_pong(slack: Workspace, received: ReceivedEvents) -> None:
    slack.set_fault("deaf", method="socket", times=-1)
    with run_app(slack) as other:
        time.sleep(2.5)
        assert other.handler.client.current_session.last_ping_pong_time is None
        slack.clear_faults()
        wait_until(lambda: other.handler.client.current_session.last_ping_pong_time is not None)
    wait_until(lambda: slack.connection_count() == 1)


def test_slack_is_completely_down_and_recovers(slack: Workspace, received: ReceivedEvents) -> None:
    """Take down Web API, response URLs, uploads, and Socket Mode, and bring all of them back."""
    app = web_client(slack, retry_handlers=[])
    file = app.files_getUploadURLExternal(filename="report.txt", length=4)["upload_url"]
    before = len(slack.visible_messages(ALICE, OPS))
    slack.set_fault("away", times=-1)
    wait_until(lambda: slack.connection_count() == 0)
    with pytest.raises(Exception, match=r"IncompleteRead|closed|reset"):
        app.auth_test()
    for address in (file, f"{slack.url}/response/any"):
        with pytest.raises(httpx.TransportError):
            httpx.post(address, json={"text": "x"}, trust_env=False)
    time.sleep(1.5)
    assert slack.connection_count() == 0, "who connects is refused"
    delivery = slack.say(ALICE, OPS, "/swarm into the void")
    assert (delivery["acked"], delivery["seconds"], delivery["payload"]) == (False, 0.0, {})
    assert len(slack.visible_messages(ALICE, OPS)) == before
    slack.clear_faults()
    assert app.auth_test()["ok"]
    wait_until(lambda: slack.say(ALICE, OPS, "/swarm back")["acked"])
    assert received.count("into the void") == 0


# --- files, reactions, channels ------------------------------------------------------------------------------------


def test_uploads_a_file_and_adds_a_reaction(slack: Workspace) -> None:
    app, text = web_client(slack), "who asked, who accepted"
    ts = app.chat_postMessage(channel=OPS, text="the report")["ts"]
    app.files_upload_v2(channel=OPS, content=text, filename="report.txt", thread_ts=ts)
    reply = slack.wait_for_message(ALICE, OPS, lambda message: message.thread_ts == ts)
    (file,) = reply.raw["files"]
    assert (file["name"], file["size"]) == ("report.txt", len(text))
    assert httpx.get(file["url_private"], trust_env=False).text == text
    app.reactions_add(channel=OPS, timestamp=ts, name="eyes")
    assert slack.wait_for_message(ALICE, OPS, lambda message: message.ts == ts).raw["reactions"] == [
        {"name": "eyes", "count": 1}
    ]


@pytest.mark.parametrize(
    ("name", "error"), [("eyes", "already_reacted"), ("", "no_reaction"), ("no such:name", "invalid_name")]
)
def test_rejects_an_invalid_reaction(slack: Workspace, name: str, error: str) -> None:
    app = web_client(slack)
    ts = app.chat_postMessage(channel=OPS, text="look")["ts"]
    app.reactions_add(channel=OPS, timestamp=ts, name="eyes")
    with pytest.raises(SlackApiError, match=error):
        app.reactions_add(channel=OPS, timestamp=ts, name=name)


def test_joins_and_leaves_a_channel(slack: Workspace) -> None:
    app, dev = web_client(slack), "C02DEV"
    with pytest.raises(SlackApiError, match="not_in_channel"):
        app.chat_postMessage(channel=dev, text="let me in")
    assert app.conversations_join(channel=dev)["channel"]["is_member"]
    assert app.conversations_join(channel=dev)["warning"] == "already_in_channel"
    assert app.chat_postMessage(channel=dev, text="here I am")["ok"]
    assert [item["id"] for item in app.conversations_list()["channels"] if item["is_archived"]] == ["C03OLD"]
    assert app.conversations_leave(channel=dev)["ok"]
    assert not app.conversations_info(channel=dev)["channel"]["is_member"]
    with pytest.raises(SlackApiError, match="is_archived"):
        app.conversations_join(channel="C03OLD")
    with pytest.raises(SlackApiError, match="channel_not_found"):
        app.conversations_join(channel="C99")


# --- views ---------------------------------------------------------------------------------------------------------


def text(length: int, kind: str = "plain_text") -> dict[str, Any]:
    return {"type": kind, "text": "x" * length}


SECTION = {"type": "section", "text": text(1)}
INPUT = {"type": "input", "label": text(1), "element": {"type": "plain_text_input", "action_id": "a"}}


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        ({"title": text(24)}, {"title": text(25)}, "title: a text of 1 to 24"),
        ({"title": text(1)}, {"title": text(1, "mrkdwn")}, "title: plain_text is wanted"),
        ({"close": text(24)}, {"close": text(25)}, "close: a text of 1 to 24"),
        ({"blocks": [SECTION] * 100}, {"blocks": [SECTION] * 101}, "too many blocks"),
        ({"blocks": [SECTION]}, {"blocks": [{"type": "plan", "title": "p", "tasks": []}]}, "unsupported type plan"),
        ({"blocks": [SECTION]}, {"blocks": None}, "invalid_blocks_format"),
        ({"blocks": [INPUT], "submit": text(1)}, {"blocks": [INPUT]}, "needs submit"),
        ({"private_metadata": "x" * 3000}, {"private_metadata": "x" * 3001}, "too long"),
        ({"callback_id": "x" * 255}, {"callback_id": "x" * 256}, "too long"),
    ],
)
def test_checks_the_limits_of_a_modal(
    slack: Workspace, received: ReceivedEvents, good: Any, bad: Any, why: str
) -> None:
    plain = {"type": "modal", "title": text(1), "blocks": [SECTION]}
    slack.say(ALICE, OPS, "/swarm modal")
    wait_until(lambda: slack.views(ALICE))
    view = slack.views(ALICE)[-1]["id"]
    assert received.client.views_update(view_id=view, view={**plain, **good})["ok"]
    with pytest.raises(SlackApiError) as refused:
        received.client.views_update(view_id=view, view={**plain, **bad})
    assert refused.value.response["error"] == "invalid_arguments"
    assert why in str(refused.value.response["response_metadata"]["messages"])
