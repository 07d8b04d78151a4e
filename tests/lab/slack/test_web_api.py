"""The fake Slack with the real slack_sdk and Imker's own manifest: it rejects what Slack rejects."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from tests.support.bolt_app import run_app, start_workspace

pytestmark = pytest.mark.processes

ALICE, BOB, CAROL, OPS = "U01ALICE", "U02BOB", "U03CAROL", "C01OPS"


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with run_fake_slack() as workspace:
        yield workspace


TOKEN, JSON = {"Authorization": "Bearer xoxb-lab"}, {"Content-Type": "application/json"}


def client(slack: Workspace, token: str = "xoxb-lab", **more: object) -> WebClient:
    return WebClient(token=token, base_url=f"{slack.url}/api/", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "arguments", "token", "error"),
    [
        ("auth.test", {}, "xoxb-wrong", "invalid_auth"),
        ("auth.test", {}, "xapp-lab", "not_allowed_token_type"),
        ("apps.connections.open", {}, "xoxb-lab", "not_allowed_token_type"),
        ("chat.postMessage", {"channel": "C02DEV", "text": "x"}, "xoxb-lab", "not_in_channel"),
        ("chat.postMessage", {"channel": "C03OLD", "text": "x"}, "xoxb-lab", "is_archived"),
        ("chat.postMessage", {"channel": "C99", "text": "x"}, "xoxb-lab", "channel_not_found"),
        ("chat.postMessage", {"channel": OPS}, "xoxb-lab", "no_text"),
        ("chat.postMessage", {"channel": OPS, "blocks": [{"type": "alert"}]}, "xoxb-lab", "invalid_blocks"),
        ("chat.postMessage", {"channel": OPS, "text": "x", "thread_ts": "1.0"}, "xoxb-lab", "thread_not_found"),
        ("chat.postMessage", {"channel": OPS, "text": None}, "xoxb-lab", "no_text"),
        ("chat.postMessage", {"channel": OPS, "blocks": ["x"]}, "xoxb-lab", "invalid_blocks"),
        ("chat.postMessage", {"channel": OPS, "blocks": {"type": "divider"}}, "xoxb-lab", "invalid_blocks_format"),
        ("chat.postMessage", {"channel": {"id": OPS}, "text": "x"}, "xoxb-lab", "invalid_arguments"),
        ("chat.postMessage", {"channel": "U05GONE", "text": "x"}, "xoxb-lab", "channel_not_found"),
        ("chat.postEphemeral", {"channel": OPS, "user": "U99", "text": "x"}, "xoxb-lab", "user_not_in_channel"),
        ("chat.update", {"channel": OPS, "ts": "1.0", "text": "x"}, "xoxb-lab", "message_not_found"),
        ("conversations.history", {"channel": "C02DEV"}, "xoxb-lab", "not_in_channel"),
        ("conversations.history", {"channel": OPS, "limit": 1000}, "xoxb-lab", "invalid_limit"),
        ("conversations.history", {"channel": OPS, "cursor": "made up"}, "xoxb-lab", "invalid_cursor"),
        ("conversations.history", {"channel": OPS, "oldest": "noon"}, "xoxb-lab", "invalid_arguments"),
        ("conversations.replies", {"channel": OPS, "ts": "1.0"}, "xoxb-lab", "thread_not_found"),
        ("files.completeUploadExternal", {"files": [1]}, "xoxb-lab", "invalid_arguments"),
        ("files.getUploadURLExternal", {"filename": "x", "length": "y"}, "xoxb-lab", "invalid_arguments"),
        ("users.info", {"user": "U99"}, "xoxb-lab", "user_not_found"),
        ("usergroups.users.list", {"usergroup": "S99"}, "xoxb-lab", "no_such_subteam"),
        ("reactions.add", {"channel": OPS}, "xoxb-lab", "missing_scope"),
        ("views.open", {"trigger_id": "made.up", "view": {}}, "xoxb-lab", "invalid_trigger_id"),
        ("views.publish", {"user_id": "U99", "view": {}}, "xoxb-lab", "user_not_found"),
        ("no.such.method", {}, "xoxb-lab", "unknown_method"),
        ("conversations.leave", {"channel": OPS}, "xoxb-lab", "missing_scope"),
        ("conversations.join", {"channel": OPS}, "xoxb-lab", "missing_scope"),
    ],
)
def test_rejects_what_slack_rejects(
    slack: Workspace, method: str, arguments: dict[str, object], token: str, error: str
) -> None:
    with pytest.raises(SlackApiError) as refused:
        client(slack, token).api_call(method, json=arguments)
    assert refused.value.response["error"] == error


def test_posts_edits_threads_and_finds_a_message_by_metadata(slack: Workspace) -> None:
    app = client(slack)
    metadata = {"event_type": "imker_run", "event_payload": {"run": "k3fm9x2q"}}
    ts = app.chat_postMessage(channel=OPS, text="one", metadata=metadata)["ts"]
    app.chat_update(channel=OPS, ts=ts, text="two")
    app.chat_postMessage(channel=OPS, text="reply", thread_ts=ts)
    visible = slack.wait_for_message(ALICE, OPS, lambda message: message.ts == ts)
    assert (visible.text, visible.raw["edited"]["ts"]) == ("two", ts)
    matches = app.conversations_history(channel=OPS, include_all_metadata=True)["messages"]
    assert matches[0]["metadata"]["event_payload"] == {"run": "k3fm9x2q"}
    assert len(app.conversations_replies(channel=OPS, ts=ts)["messages"]) == 2


def test_shows_an_ephemeral_message_to_one_user(slack: Workspace) -> None:
    client(slack).chat_postEphemeral(channel=OPS, user=ALICE, text="for alice")
    assert slack.wait_for_message(ALICE, OPS, "for alice").ephemeral
    assert "for alice" not in json.dumps([message.raw for message in slack.visible_messages("U02BOB", OPS)])


def test_rate_limits_as_many_calls_as_requested(slack: Workspace) -> None:
    slack.set_fault("ratelimited", method="auth.test", seconds=1)
    with pytest.raises(SlackApiError) as refused:
        client(slack).auth_test()
    assert refused.value.response.headers["Retry-After"] == "1"
    slack.set_fault("ratelimited", method="auth.test", seconds=1)
    assert client(slack, retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=1)]).auth_test()["ok"]


def test_a_call_takes_effect_although_its_reply_is_lost(slack: Workspace) -> None:
    slack.set_fault("drop_reply", method="chat.postMessage")
    with pytest.raises(Exception, match=r"IncompleteRead|closed|reset"):
        client(slack, retry_handlers=[]).chat_postMessage(channel=OPS, text="heard")
    slack.wait_for_message(ALICE, OPS, "heard")


@pytest.mark.parametrize(
    ("kind", "seconds", "expected"),
    [
        ("server_error", 60, [(503, False), (503, False), (200, False)]),
        ("latency", 2, [(200, True), (200, True), (200, False)]),
    ],
)
def test_errors_and_delays_occur_as_often_as_requested(
    slack: Workspace, kind: str, seconds: float, expected: list[tuple[int, bool]]
) -> None:
    slack.set_fault(kind, method="auth.test", times=2, seconds=seconds)
    replies = []
    for _ in range(3):
        began = time.monotonic()
        answer = httpx.post(f"{slack.url}/api/auth.test", headers=TOKEN, trust_env=False, timeout=60)
        replies.append((answer.status_code, time.monotonic() - began > seconds))
    assert replies == expected


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"content": "{oops", "headers": JSON}, "invalid_json"),
        ({"content": "[1]", "headers": JSON}, "json_not_object"),
        ({"data": {"channel": OPS, "text": "x", "blocks": "{oops"}}, "invalid_blocks_format"),
        ({"data": {"channel": OPS, "text": "x", "metadata": "{oops"}}, "invalid_metadata_format"),
        ({"json": {"channel": OPS, "blocks": '[{"type": "divider"}]'}}, None),
    ],
)
def test_rejects_an_invalid_body(slack: Workspace, body: dict[str, Any], error: str | None) -> None:
    headers = {**TOKEN, **body.pop("headers", {})}
    answer = httpx.post(f"{slack.url}/api/chat.postMessage", headers=headers, trust_env=False, **body)
    assert (answer.status_code, answer.json().get("error")) == (200, error)


@pytest.mark.parametrize(
    ("path", "expected_text", "status", "error"),
    [
        ("say", {"user": "U99", "channel": OPS, "text": "/swarm"}, 409, "user_not_found"),
        ("say", {"user": "U05GONE", "channel": OPS, "text": "/swarm"}, 409, "account_inactive"),
        ("say", {"user": CAROL, "channel": "C02DEV", "text": "/swarm"}, 409, "not_in_channel"),
        ("say", {"user": CAROL, "channel": "C02DEV", "text": "nodes"}, 409, "not_in_channel"),
        ("say", {"user": ALICE, "channel": "C03OLD", "text": "/swarm"}, 409, "is_archived"),
        ("say", {"user": ALICE, "channel": "C99", "text": "/swarm"}, 409, "channel_not_found"),
        ("say", {"user": ALICE, "channel": OPS, "text": "/swarms nodes"}, 409, "no_such_command"),
        ("say", {"user": ALICE}, 400, "KeyError: 'channel'"),
        ("press", {"user": ALICE, "ts": "1.0", "action_id": "a"}, 409, "message_not_found"),
        ("press", {"user": ALICE, "view_id": "V9", "action_id": "a"}, 409, "no_such_view"),
        ("home", {"user": "U05GONE"}, 409, "account_inactive"),
        ("fault", {"kind": "ratelimmited"}, 400, "ValueError: no fault ratelimmited"),
        ("fault", {"kind": "latency", "second": 1}, 400, "TypeError"),
        ("fault", {"kind": "latency", "times": 0}, 400, "ValueError: times must"),
    ],
)
def test_rejects_invalid_user_actions(
    slack: Workspace, path: str, expected_text: dict[str, Any], status: int, error: str
) -> None:
    answer = httpx.post(f"{slack.url}/lab/{path}", json=expected_text, trust_env=False)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_delivers_only_events_that_the_manifest_lists(tmp_path: Path) -> None:
    with start_workspace(tmp_path, ["app_mention"]) as slack, run_app(slack) as app:
        assert slack.say(ALICE, OPS, "/swarm nodes")["acked"]
        assert not slack.open_home(ALICE)["acked"], "this app does not subscribe to app_home_opened"
        assert [kind for kind, _, _ in app.events] == ["command"]


def test_posts_a_mention_where_the_app_is_not_a_member(slack: Workspace) -> None:
    assert slack.say(ALICE, "C02DEV", "anybody?")["acked"] is False
    assert slack.wait_for_message(BOB, "C02DEV", "anybody?").raw["user"] == ALICE


def test_returns_history_in_pages_newest_first(slack: Workspace) -> None:
    app = client(slack)
    sent = [app.chat_postMessage(channel=OPS, text=f"page {n}")["ts"] for n in range(5)]
    pages, cursor = [], None
    for _ in range(3):
        page = app.conversations_history(channel=OPS, oldest=sent[0], inclusive=True, limit=2, cursor=cursor)
        pages.append([message["text"][-1] for message in page["messages"]])
        cursor = page["response_metadata"]["next_cursor"]
        assert page["has_more"] is bool(cursor)
    assert (pages, cursor) == ([["4", "3"], ["2", "1"], ["0"]], "")


@pytest.mark.parametrize(
    ("first", "last", "inclusive", "expected_text"),
    [(1, 3, False, "2"), (1, 3, True, "321"), (None, 2, False, "10"), (2, None, False, "43"), (2, None, True, "432")],
)
def test_excludes_oldest_and_latest_unless_inclusive(
    slack: Workspace, first: int | None, last: int | None, inclusive: bool, expected_text: str
) -> None:
    app = client(slack)
    sent = [app.chat_postMessage(channel=OPS, text=f"{n}")["ts"] for n in range(5)]
    oldest, latest = (None if n is None else sent[n] for n in (first, last))
    messages = app.conversations_history(channel=OPS, oldest=oldest, latest=latest, inclusive=inclusive)["messages"]
    assert "".join(message["text"] for message in messages if message["ts"] in sent) == expected_text


def test_returns_a_thread_in_pages_led_by_its_parent(slack: Workspace) -> None:
    app = client(slack)
    root = app.chat_postMessage(channel=OPS, text="root")["ts"]
    for number in range(3):
        app.chat_postMessage(channel=OPS, text=f"{number}", thread_ts=root)
    first = app.conversations_replies(channel=OPS, ts=root, limit=2)
    assert [message["text"] for message in first["messages"]] == ["root", "0", "1"]
    cursor = first["response_metadata"]["next_cursor"]
    second = app.conversations_replies(channel=OPS, ts=root, limit=2, cursor=cursor)
    assert [message["text"] for message in second["messages"]] == ["root", "2"]
    assert not second["has_more"]


def test_reads_an_archived_channel_with_its_notice(slack: Workspace) -> None:
    (last,) = client(slack).conversations_history(channel="C03OLD", limit=1)["messages"]
    assert last["subtype"] == "channel_archive"


def test_truncates_a_long_text_on_post_and_rejects_it_on_edit(slack: Workspace) -> None:
    app = client(slack)
    ts = app.chat_postMessage(channel=OPS, text="x" * 40_001)["ts"]
    assert len(slack.wait_for_message(ALICE, OPS, lambda message: message.ts == ts).text) == 40_000
    assert app.chat_update(channel=OPS, ts=ts, text="x" * 4000)["ok"]
    with pytest.raises(SlackApiError, match="msg_too_long"):
        app.chat_update(channel=OPS, ts=ts, text="x" * 4001)


def test_an_edit_with_text_only_removes_the_blocks(slack: Workspace) -> None:
    app = client(slack)
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=[{"type": "divider"}])["ts"]
    app.chat_update(channel=OPS, ts=ts, text="y")
    assert slack.wait_for_message(ALICE, OPS, lambda message: message.ts == ts).raw["blocks"] == []


def test_rejects_an_edit_of_a_message_by_someone_else(slack: Workspace) -> None:
    slack.say(ALICE, OPS, "mine")
    ts = slack.wait_for_message(ALICE, OPS, "mine").ts
    with pytest.raises(SlackApiError, match="cant_update_message"):
        client(slack).chat_update(channel=OPS, ts=ts, text="yours")
    with pytest.raises(SlackApiError, match="cant_delete_message"):
        client(slack).chat_delete(channel=OPS, ts=ts)


def test_a_user_id_stands_for_direct_messages(slack: Workspace) -> None:
    channel = client(slack).chat_postMessage(channel=ALICE, text="between us")["channel"]
    assert slack.wait_for_message(ALICE, channel, "between us").raw["channel"] == channel
    assert slack.visible_messages(BOB, channel) == []


def test_a_command_without_a_connected_app_is_not_acknowledged(slack: Workspace) -> None:
    assert slack.say(ALICE, OPS, "/swarm nodes")["acked"] is False


def test_rejects_a_press_of_a_missing_button(slack: Workspace) -> None:
    ts = client(slack).chat_postMessage(channel=OPS, text="no buttons")["ts"]
    message = slack.wait_for_message(ALICE, OPS, lambda visible: visible.ts == ts)
    with pytest.raises(httpx.HTTPStatusError):
        slack.press(ALICE, message, "Accept")
