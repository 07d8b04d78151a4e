"""Slack notifies a user of new messages that mention them or their group, and of direct messages. Never of edits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from lab.slack.state import DEFAULT_CONFIG

pytestmark = pytest.mark.processes

ALICE, BOB, CAROL, OPS = "U01ALICE", "U02BOB", "U03CAROL", "C01OPS"
MANIFEST = DEFAULT_CONFIG.parent / "../../bot/manifest.yaml"


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with run_fake_slack() as workspace:
        yield workspace


@pytest.fixture
def app(slack: Workspace) -> WebClient:
    return WebClient(token="xoxb-lab", base_url=f"{slack.url}/api/")


def reasons(slack: Workspace, ts: str) -> dict[str, str]:
    """Return why each user was notified of the message."""
    received = {user: [each for each in slack.notifications(user) if each["ts"] == ts] for user in (ALICE, BOB, CAROL)}
    assert all(len(notifications) <= 1 for notifications in received.values()), "a message notifies a user once"
    return {user: notifications[0]["reason"] for user, notifications in received.items() if notifications}


def rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"text": "<@U02BOB> and <@U99>"}, {BOB: "mention"}),
        ({"text": "<!subteam^S01OPS>, <@U02BOB>"}, {ALICE: "group", BOB: "mention"}),
        ({"text": "<!channel>"}, {ALICE: "channel", BOB: "channel", CAROL: "channel"}),
        ({"text": "no one: &lt;@U02BOB&gt; <#C01OPS>"}, {}),
        ({"text": "<@U02BOB>", "blocks": [{"type": "divider"}]}, {}),
        ({"text": "x", "blocks": [rich({"type": "user", "user_id": BOB})]}, {BOB: "mention"}),
        ({"text": "x", "blocks": [rich({"type": "text", "text": "<@U02BOB>"})]}, {}),
        (
            {"text": "x", "blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "<@U03CAROL>"}]}]},
            {CAROL: "mention"},
        ),
    ],
)
def test_notifies_who_is_mentioned(
    slack: Workspace, app: WebClient, arguments: dict[str, Any], expected: dict[str, str]
) -> None:
    ts = app.chat_postMessage(channel=OPS, **arguments)["ts"]
    assert reasons(slack, ts) == expected


def test_an_edit_and_a_private_reply_notify_no_one(slack: Workspace, app: WebClient) -> None:
    ts = app.chat_postMessage(channel=OPS, text="x")["ts"]
    app.chat_update(channel=OPS, ts=ts, text="<@U02BOB>")
    private = app.chat_postEphemeral(channel=OPS, user=BOB, text="<@U02BOB>")["message_ts"]
    assert reasons(slack, ts) == reasons(slack, private) == {}


def test_a_broadcast_reply_is_in_the_channel_and_notifies_like_any_message(slack: Workspace, app: WebClient) -> None:
    parent = app.chat_postMessage(channel=OPS, text="the card")["ts"]
    replies = [
        app.chat_postMessage(channel=OPS, text="<@U02BOB>", thread_ts=parent, reply_broadcast=broadcast)["ts"]
        for broadcast in (False, True)
    ]
    received = [each for each in slack.notifications(BOB) if each["ts"] in replies]
    assert [each["broadcast"] for each in received] == [False, True]
    in_channel = {message["ts"] for message in app.conversations_history(channel=OPS)["messages"]}
    assert in_channel & set(replies) == {replies[1]}


def test_links_to_a_message_and_to_a_reply(slack: Workspace, app: WebClient) -> None:
    parent = app.chat_postMessage(channel=OPS, text="x")["ts"]
    reply = app.chat_postMessage(channel=OPS, text="x", thread_ts=parent)["ts"]
    links = [app.chat_getPermalink(channel=OPS, message_ts=ts)["permalink"] for ts in (parent, reply)]
    assert links[0] == f"{slack.url}/archives/{OPS}/p{parent.replace('.', '')}"
    assert links[1].endswith(f"/p{reply.replace('.', '')}?thread_ts={parent}&cid={OPS}")
    for arguments, error in (((OPS, "1.0"), "message_not_found"), (("C02DEV", parent), "not_in_channel")):
        with pytest.raises(SlackApiError, match=error):
            app.chat_getPermalink(channel=arguments[0], message_ts=arguments[1])


def test_direct_messages_need_scopes_that_the_manifest_leaves_out(app: WebClient) -> None:
    with pytest.raises(SlackApiError, match="missing_scope") as refused:
        app.conversations_open(users=BOB)
    assert refused.value.response["needed"] == "im:write"
    with pytest.raises(SlackApiError, match="missing_scope"):
        app.conversations_history(channel=f"D{BOB}")


def test_opens_direct_messages_with_the_scopes(tmp_path: Path) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["oauth_config"]["scopes"]["bot"] += ["im:write", "im:history"]
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    config = yaml.safe_load(DEFAULT_CONFIG.read_text())
    config["app"]["manifest"] = "manifest.yaml"
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(config))
    with run_fake_slack(config=tmp_path / "workspace.yaml") as slack:
        app = WebClient(token="xoxb-lab", base_url=f"{slack.url}/api/")
        channel = app.conversations_open(users=BOB)["channel"]["id"]
        ts = app.chat_postMessage(channel=channel, text="for you")["ts"]
        assert reasons(slack, ts) == {BOB: "direct"}
        assert [message["ts"] for message in app.conversations_history(channel=channel)["messages"]] == [ts]
        for user, error in (("U99", "user_not_found"), ("U05GONE", "user_disabled"), ("U00IMKER", "cannot_dm_bot")):
            with pytest.raises(SlackApiError, match=error):
                app.conversations_open(users=user)
