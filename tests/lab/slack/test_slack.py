"""The stand-in against the real slack_sdk, refusing as Slack does."""

import json
from collections.abc import Iterator

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from lab.slack.client import Workspace
from lab.slack.running import running

ALICE, OPS = "U01ALICE", "C01OPS"


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with running() as workspace:
        yield workspace


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
        ("chat.update", {"channel": OPS, "ts": "1.0", "text": "x"}, "xoxb-lab", "message_not_found"),
        ("users.info", {"user": "U99"}, "xoxb-lab", "user_not_found"),
        ("usergroups.users.list", {"usergroup": "S99"}, "xoxb-lab", "no_such_subteam"),
        ("reactions.add", {"channel": OPS}, "xoxb-lab", "missing_scope"),
        ("views.open", {"trigger_id": "made.up", "view": {}}, "xoxb-lab", "invalid_trigger_id"),
        ("views.publish", {"user_id": "U99", "view": {}}, "xoxb-lab", "user_not_found"),
        ("no.such.method", {}, "xoxb-lab", "unknown_method"),
        ("conversations.list", {}, "xoxb-lab", "missing_scope"),
        ("conversations.join", {"channel": OPS}, "xoxb-lab", "missing_scope"),
    ],
)
def test_what_slack_refuses(
    slack: Workspace, method: str, arguments: dict[str, object], token: str, error: str
) -> None:
    with pytest.raises(SlackApiError) as refused:
        client(slack, token).api_call(method, json=arguments)
    assert refused.value.response["error"] == error


def test_a_message_is_posted_edited_threaded_and_found_by_its_metadata(slack: Workspace) -> None:
    app = client(slack)
    metadata = {"event_type": "imker_run", "event_payload": {"run": "k3fm9x2q"}}
    ts = app.chat_postMessage(channel=OPS, text="one", metadata=metadata)["ts"]
    app.chat_update(channel=OPS, ts=ts, text="two")
    app.chat_postMessage(channel=OPS, text="reply", thread_ts=ts)
    seen = slack.wait(ALICE, OPS, lambda message: message.ts == ts)
    assert (seen.text, seen.raw["edited"]["ts"]) == ("two", ts)
    found = app.conversations_history(channel=OPS, include_all_metadata=True)["messages"]
    assert found[0]["metadata"]["event_payload"] == {"run": "k3fm9x2q"}
    assert len(app.conversations_replies(channel=OPS, ts=ts)["messages"]) == 2


def test_an_ephemeral_message_is_seen_by_one(slack: Workspace) -> None:
    client(slack).chat_postEphemeral(channel=OPS, user=ALICE, text="for alice")
    assert slack.wait(ALICE, OPS, "for alice").ephemeral
    assert "for alice" not in json.dumps([seen.raw for seen in slack.sees("U02BOB", OPS)])


def test_too_many_requests_and_then_none(slack: Workspace) -> None:
    slack.fault("ratelimited", method="auth.test", seconds=1)
    with pytest.raises(SlackApiError) as refused:
        client(slack).auth_test()
    assert refused.value.response.headers["Retry-After"] == "1"
    slack.fault("ratelimited", method="auth.test", seconds=1)
    assert client(slack, retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=1)]).auth_test()["ok"]


def test_a_reply_that_is_lost_was_still_heard(slack: Workspace) -> None:
    slack.fault("drop_reply", method="chat.postMessage")
    with pytest.raises(Exception, match=r"IncompleteRead|closed|reset"):
        client(slack, retry_handlers=[]).chat_postMessage(channel=OPS, text="heard")
    slack.wait(ALICE, OPS, "heard")


def test_a_command_that_nobody_takes_is_not_acknowledged(slack: Workspace) -> None:
    assert slack.say(ALICE, OPS, "/swarm nodes")["acked"] is False


def test_a_button_that_is_not_there_cannot_be_pressed(slack: Workspace) -> None:
    ts = client(slack).chat_postMessage(channel=OPS, text="no buttons")["ts"]
    message = slack.wait(ALICE, OPS, lambda seen: seen.ts == ts)
    with pytest.raises(httpx.HTTPStatusError):
        slack.press(ALICE, message, "Accept")
