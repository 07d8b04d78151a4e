"""The fake Slack's modals, Home tab, shortcuts, and selects with the real slack_bolt: their limits and their life."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from lab.slack import state as lab_state
from lab.slack.client import Workspace
from lab.slack.plain_text import view_text
from lab.slack.server_process import run_fake_slack
from lab.slack.state import SlackError, SlackState
from lab.slack.views import open_view
from tests.support.bolt_app import Block, actions, button, wait_until, web_client

pytestmark = pytest.mark.processes

ALICE, BOB = "U01ALICE", "U02BOB"


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def option(value: str) -> Block:
    return {"text": plain(value), "value": value}


NAME = {
    "type": "input", "block_id": "name", "label": plain("Name"),
    "element": {"type": "plain_text_input", "action_id": "name"},
}  # fmt: skip
KIND = {
    "type": "input", "block_id": "kind", "label": plain("Kind"), "dispatch_action": True,
    "element": {"type": "static_select", "action_id": "kind", "options": [option("a"), option("b")]},
}  # fmt: skip
HOST = {
    "type": "input", "block_id": "host", "label": plain("Host"), "optional": True,
    "element": {"type": "external_select", "action_id": "host", "min_query_length": 1},
}  # fmt: skip
PUSH = actions(button("Push", "push"))


def modal(*blocks: Block, **more: Any) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": plain("T"),
        "submit": plain("Go"),
        "callback_id": "f",
        "blocks": list(blocks),
        **more,
    }


class FormApp:
    """An app that opens a modal by the shortcut, pushes others, and answers a submission as the test says."""

    def __init__(self, client: WebClient) -> None:
        self.client = client
        self.response: dict[str, Any] = {}
        self.options: list[Block] = []
        self.received: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self.app = App(client=client, token_verification_enabled=False)
        self.app.shortcut("swarm_form")(self.on_shortcut)
        self.app.action("push")(self.on_push)
        self.app.action("kind")(self.on_kind)
        self.app.options("host")(self.on_search)
        self.app.view("f")(self.on_submit)
        for event in ("app_home_opened", "member_joined_channel"):
            self.app.event(event)(self.on_event)

    def on_shortcut(self, ack: Any, body: dict[str, Any]) -> None:
        ack()
        self.client.views_open(trigger_id=body["trigger_id"], view=modal(NAME, KIND, HOST, PUSH))

    def on_push(self, ack: Any, body: dict[str, Any]) -> None:
        ack()
        try:
            self.client.views_push(trigger_id=body["trigger_id"], view=modal(PUSH))
        except SlackApiError as error:
            self.errors.append(error.response["error"])

    def on_kind(self, ack: Any, body: dict[str, Any]) -> None:
        ack()
        self.received.append(body)

    def on_search(self, ack: Any, body: dict[str, Any]) -> None:
        self.received.append(body)
        ack(options=self.options)

    def on_submit(self, ack: Any, body: dict[str, Any]) -> None:
        self.received.append(body)
        ack(**self.response)

    def on_event(self, event: dict[str, Any]) -> None:
        self.received.append(event)


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with run_fake_slack(patience=60) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def connected(slack: Workspace) -> Iterator[FormApp]:
    app = FormApp(web_client(slack))
    handler = SocketModeHandler(app.app, "xapp-lab")
    handler.connect()
    wait_until(slack.connection_count)
    yield app
    handler.close()


@pytest.fixture
def app(slack: Workspace, connected: FormApp) -> FormApp:
    connected.response, connected.options, connected.received, connected.errors = {}, [], [], []
    slack.close_modals(ALICE)
    return connected


def opened(slack: Workspace) -> dict[str, Any]:
    assert slack.use_shortcut(ALICE, "swarm_form")["acked"]
    wait_until(lambda: slack.modal(ALICE))
    view = slack.modal(ALICE)
    assert view
    return view


def test_only_shortcuts_of_the_manifest_exist(slack: Workspace, app: FormApp) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        slack.use_shortcut(ALICE, "other")


def test_sends_no_submission_without_required_inputs(slack: Workspace, app: FormApp) -> None:
    view = opened(slack)
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        slack.fill_in(ALICE, view, name="tondi")
    slack.fill_in(ALICE, view, name="tondi", kind="b")
    (body,) = app.received
    assert body["view"]["state"]["values"]["name"]["name"] == {"type": "plain_text_input", "value": "tondi"}
    assert slack.modal(ALICE) is None


@pytest.mark.parametrize(
    ("response", "remaining"),
    [
        ({}, []),
        ({"response_action": "clear"}, []),
        ({"response_action": "errors", "errors": {"name": "no"}}, ["Go"]),
        ({"response_action": "update", "view": modal(PUSH, submit=plain("New"))}, ["New"]),
        ({"response_action": "push", "view": modal(PUSH, submit=plain("Top"))}, ["Go", "Top"]),
    ],
)
def test_a_modal_follows_the_response(
    slack: Workspace, app: FormApp, response: dict[str, Any], remaining: list[str]
) -> None:
    app.response = response
    slack.fill_in(ALICE, opened(slack), name="tondi", kind="b")
    assert [view["submit"]["text"] for view in slack.views(ALICE) if view["type"] == "modal"] == remaining


@pytest.mark.parametrize(
    "response",
    [
        {"response_action": "errors", "errors": {"nothing": "no such block"}},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "explode"},
    ],
)
def test_rejects_an_invalid_response(slack: Workspace, app: FormApp, response: dict[str, Any]) -> None:
    app.response = response
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        slack.fill_in(ALICE, opened(slack), name="tondi", kind="b")
    assert slack.modal(ALICE), "the modal stays"


def test_three_modals_are_on_top_of_each_other_at_most(slack: Workspace, app: FormApp) -> None:
    opened(slack)
    for _ in range(3):
        view = slack.modal(ALICE)
        assert view
        slack.press_in_view(ALICE, view, "push")
    wait_until(lambda: app.errors)
    assert app.errors == ["push_limit_reached"]
    assert len(slack.views(ALICE)) == 3


def test_reports_a_choice_with_the_state_of_the_form(slack: Workspace, app: FormApp) -> None:
    view = opened(slack)
    slack.choose(ALICE, view, "kind", "b")
    (body,) = app.received
    assert body["view"]["state"]["values"]["kind"]["kind"]["selected_option"]["value"] == "b"
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        slack.choose(ALICE, view, "name", "b")


def test_an_outdated_update_is_refused(slack: Workspace, app: FormApp) -> None:
    view = opened(slack)
    app.client.views_update(view_id=view["id"], hash=view["hash"], view=modal(PUSH))
    with pytest.raises(SlackApiError, match="hash_conflict"):
        app.client.views_update(view_id=view["id"], hash=view["hash"], view=modal(PUSH))


def test_searches_options(slack: Workspace, app: FormApp) -> None:
    app.options, view = [option("tondi")], opened(slack)
    assert slack.search(ALICE, view, "host", "to") == ["tondi"]
    assert app.received[0]["value"] == "to"
    for query, options in (("", [option("tondi")]), ("x", [option("x")] * 101), ("x", [option("y" * 76)])):
        app.options = options
        with pytest.raises(httpx.HTTPStatusError, match="409"):
            slack.search(ALICE, view, "host", query)


@pytest.mark.parametrize("age", [2.0, 4.0])
def test_a_trigger_is_valid_for_three_seconds(monkeypatch: pytest.MonkeyPatch, age: float) -> None:
    state, began = SlackState(), time.time()
    trigger = state.new_trigger(ALICE)
    monkeypatch.setattr(lab_state.time, "time", lambda: began + age)
    if age < lab_state.TRIGGER_TTL:
        assert open_view({"trigger_id": trigger, "view": modal(PUSH)}, state)["view"]["user"] == ALICE
    else:
        with pytest.raises(SlackError, match="expired_trigger_id"):
            open_view({"trigger_id": trigger, "view": modal(PUSH)}, state)


def test_the_home_tab_comes_with_the_event_that_it_was_opened(slack: Workspace, app: FormApp) -> None:
    slack.open_home(BOB)
    wait_until(lambda: app.received)
    assert "view" not in app.received[0]
    app.client.views_publish(user_id=BOB, view={"type": "home", "blocks": [{"type": "header", "text": plain("Hi")}]})
    home = slack.home(BOB)
    assert home
    assert view_text(home) == "Hi"
    slack.open_home(BOB)
    wait_until(lambda: len(app.received) == 2)
    assert app.received[1]["view"]["id"] == home["id"]
    with pytest.raises(SlackApiError, match="user_not_found"):
        app.client.views_publish(user_id="U99", view={"type": "home", "blocks": []})


def test_an_invitation_is_an_event(slack: Workspace, app: FormApp) -> None:
    slack.set_channel("C02DEV", app=True, inviter=BOB)
    wait_until(lambda: app.received)
    event = app.received[0]
    assert (event["type"], event["user"], event["channel"], event["inviter"]) == (
        "member_joined_channel", "U00IMKER", "C02DEV", BOB,
    )  # fmt: skip
    slack.set_channel("C02DEV", app=True)
    slack.set_channel("C02DEV", app=False)
    assert len(app.received) == 1
