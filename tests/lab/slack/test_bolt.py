"""The stand-in against the real slack_bolt over Socket Mode: commands, modals, the home tab, files, and faults."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from lab.slack.client import Workspace
from lab.slack.running import running

ALICE, BOB, OPS = "U01ALICE", "U02BOB", "C01OPS"
MODAL = {"type": "modal", "callback_id": "reason", "title": {"type": "plain_text", "text": "Why?"}, "blocks": []}


@pytest.fixture(scope="module")
def slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """With an app that may do more than Imker."""
    folder = tmp_path_factory.mktemp("slack")
    manifest = yaml.safe_load(Path("bot/manifest.yaml").read_text())
    manifest["oauth_config"]["scopes"]["bot"] += [
        "reactions:write",
        "channels:read",
        "channels:join",
        "channels:manage",
    ]
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    workspace = yaml.safe_load(Path("lab/slack/workspace.yaml").read_text())
    workspace["app"]["manifest"] = str(folder / "manifest.yaml")
    (folder / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    with running(config=folder / "workspace.yaml") as started:
        yield started


@pytest.fixture(scope="module")
def heard(slack: Workspace) -> Iterator[list[Any]]:
    """What a small app was told."""
    told: list[Any] = []
    app = App(client=client(slack), token_verification_enabled=False)

    @app.command("/swarm")
    def command(ack: Callable[[], None], body: dict[str, Any], respond: Any) -> None:
        ack()
        told.append(body["text"])
        if body["text"] == "modal":
            app.client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        if body["text"] == "six times":
            told.extend(respond(f"answer {number}").status_code for number in range(6))

    @app.view("reason")
    def submitted(ack: Any, body: dict[str, Any]) -> None:
        reason = body["view"]["state"]["values"]["b"]["a"]["value"]
        ack(response_action="errors", errors={"b": "say more"}) if reason == "short" else ack()
        told.append(reason)

    @app.event("app_home_opened")
    def home(event: dict[str, Any]) -> None:
        app.client.views_publish(user_id=event["user"], view={"type": "home", "blocks": []})

    handler = SocketModeHandler(app, "xapp-lab", ping_interval=1)
    handler.connect()
    until(lambda: slack.sockets() == 1)
    yield told
    handler.close()


def client(slack: Workspace) -> WebClient:
    return WebClient(token="xoxb-lab", base_url=f"{slack.url}/api/")


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_modal_is_opened_and_submitted(slack: Workspace, heard: list[Any]) -> None:
    assert slack.say(ALICE, OPS, "/swarm modal")["acked"]
    until(lambda: slack.views(ALICE))
    view = slack.views(ALICE)[0]["id"]
    with pytest.raises(httpx.HTTPStatusError):
        slack.submit(BOB, view, {})
    assert slack.submit(ALICE, view, {"b": {"a": {"value": "short"}}})["payload"]["errors"] == {"b": "say more"}
    assert slack.submit(ALICE, view, {"b": {"a": {"value": "because"}}})["payload"] == {}
    until(lambda: heard[-1] == "because")


def test_the_home_tab_is_published(slack: Workspace, heard: list[Any]) -> None:
    slack.open_home(BOB)
    until(lambda: [view["type"] for view in slack.views(BOB)] == ["home"])


def test_a_response_url_takes_five_answers(slack: Workspace, heard: list[Any]) -> None:
    slack.say(ALICE, OPS, "/swarm six times")
    until(lambda: heard[-6:] == [200] * 5 + [404])
    assert slack.wait(ALICE, OPS, "answer 4").ephemeral


def test_an_envelope_comes_three_times_and_late(slack: Workspace, heard: list[Any]) -> None:
    slack.fault("repeat", method="socket")
    slack.say(ALICE, OPS, "/swarm again")
    until(lambda: heard.count("again") == 3)
    slack.fault("late", method="socket", seconds=0.5)
    began = time.monotonic()
    slack.say(ALICE, OPS, "/swarm late")
    assert time.monotonic() - began > 0.5


def test_a_refreshed_connection_is_made_anew(slack: Workspace, heard: list[Any]) -> None:
    slack.fault("disconnect", reason="refresh_requested")
    until(lambda: slack.sockets() == 1)
    until(lambda: slack.say(ALICE, OPS, "/swarm still there")["acked"])
    until(lambda: "still there" in heard)


def test_a_deaf_connection_gets_no_pong(slack: Workspace) -> None:
    slack.fault("deaf", method="socket", times=-1)
    handler = SocketModeHandler(
        App(client=client(slack), token_verification_enabled=False), "xapp-lab", ping_interval=1
    )
    handler.connect()
    until(lambda: slack.sockets() >= 1)
    time.sleep(2.5)
    assert handler.client.current_session.last_ping_pong_time is None
    slack.clear_faults()
    until(lambda: handler.client.current_session.last_ping_pong_time is not None)
    handler.close()


def test_a_file_and_a_reaction(slack: Workspace) -> None:
    app = client(slack)
    ts = app.chat_postMessage(channel=OPS, text="the report")["ts"]
    app.files_upload_v2(channel=OPS, content="who asked, who accepted", filename="report.txt", thread_ts=ts)
    reply = slack.wait(ALICE, OPS, lambda seen: seen.thread == ts)
    assert reply.raw["files"][0]["name"] == "report.txt"
    assert reply.raw["files"][0]["size"] == len("who asked, who accepted")
    app.reactions_add(channel=OPS, timestamp=ts, name="eyes")
    with pytest.raises(SlackApiError, match="already_reacted"):
        app.reactions_add(channel=OPS, timestamp=ts, name="eyes")


def test_a_channel_is_joined_and_left(slack: Workspace) -> None:
    app, dev = client(slack), "C02DEV"
    with pytest.raises(SlackApiError, match="not_in_channel"):
        app.chat_postMessage(channel=dev, text="let me in")
    assert app.conversations_join(channel=dev)["channel"]["is_member"]
    assert app.conversations_join(channel=dev)["warning"] == "already_in_channel"
    assert app.chat_postMessage(channel=dev, text="here I am")["ok"]
    assert [one["id"] for one in app.conversations_list()["channels"] if one["is_archived"]] == ["C03OLD"]
    assert app.conversations_leave(channel=dev)["ok"]
    assert not app.conversations_info(channel=dev)["channel"]["is_member"]
    with pytest.raises(SlackApiError, match="is_archived"):
        app.conversations_join(channel="C03OLD")
    with pytest.raises(SlackApiError, match="channel_not_found"):
        app.conversations_join(channel="C99")


def test_slack_away_and_back(slack: Workspace) -> None:
    slack.fault("away", times=-1)
    with pytest.raises(Exception, match=r"IncompleteRead|closed|reset"):
        client(slack).auth_test()
    slack.clear_faults()
    assert client(slack).auth_test()["ok"]
