"""Run a small app on real slack_bolt in its own workspace. It may do more than Imker and records what it receives."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack

SCOPES = ("reactions:write", "channels:read", "channels:join", "channels:manage")
Block = dict[str, Any]


def button(label: str, action: str, value: str = "") -> Block:
    return {"type": "button", "text": {"type": "plain_text", "text": label}, "action_id": action, "value": value}


def actions(*buttons: Block) -> Block:
    return {"type": "actions", "elements": list(buttons)}


MODAL = {
    "type": "modal",
    "callback_id": "reason",
    "title": {"type": "plain_text", "text": "Why?"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        actions(button("More", "view.more")),
        {
            "type": "input",
            "block_id": "b",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "a"},
        },
    ],
}
HOME = {"type": "home", "blocks": [actions(button("Refresh", "view.refresh"))]}


@dataclass
class ReceivedEvents:
    """Records received events. `what`: kind, user, and the text or button."""

    client: WebClient
    events: list[tuple[str, str, str]] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  # of the answers to a response_url
    handler: Any = None

    def count(self, text: str) -> int:
        return sum(event_text == text for _, _, event_text in self.events)


@contextmanager
def start_workspace(folder: Path, events: list[str] | None = None) -> Iterator[Workspace]:
    """Start the fake Slack. `events`: those that the app subscribes to, None for Imker's own."""
    manifest = yaml.safe_load(Path("bot/manifest.yaml").read_text())
    manifest["oauth_config"]["scopes"]["bot"] += SCOPES
    subscriptions = manifest["settings"]["event_subscriptions"]
    subscriptions["bot_events"] = subscriptions["bot_events"] if events is None else events
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    config = yaml.safe_load(Path("lab/slack/workspace.yaml").read_text())
    config["app"]["manifest"] = "manifest.yaml"
    (folder / "workspace.yaml").write_text(yaml.safe_dump(config))
    with run_fake_slack(config=folder / "workspace.yaml") as slack:
        yield slack


@contextmanager
def run_app(slack: Workspace) -> Iterator[ReceivedEvents]:
    before = slack.connection_count()
    received = ReceivedEvents(web_client(slack))
    received.handler = SocketModeHandler(_app(received), "xapp-lab", ping_interval=1)
    received.handler.connect()
    wait_until(lambda: slack.connection_count() > before)
    yield received
    received.handler.close()


def _app(received: ReceivedEvents) -> App:
    app = App(client=received.client, token_verification_enabled=False)

    @app.command("/swarm")
    def command(ack: Callable[[], None], body: dict[str, Any], respond: Any) -> None:
        ack()
        received.events.append(("command", body["user_id"], body["text"]))
        if body["text"] == "modal":
            received.triggers.append(body["trigger_id"])
            received.client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        if body["text"] == "six times":
            received.statuses.extend(respond(f"answer {number}").status_code for number in range(6))

    @app.action("run.accept")
    @app.action("view.more")
    @app.action("view.refresh")
    def on_press(ack: Callable[[], None], body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        received.events.append((action["action_id"], body["user"]["id"], action["value"]))

    @app.action("run.more")
    def on_menu(ack: Callable[[], None], body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        received.events.append(("run.more", body["user"]["id"], action["selected_option"]["value"]))

    @app.action("run.replace")
    def on_replace(ack: Callable[[], None], respond: Any) -> None:
        ack()
        respond(text="decided", replace_original=True)

    @app.action("run.delete")
    def on_delete(ack: Callable[[], None], respond: Any) -> None:
        ack()
        respond(delete_original=True)

    @app.view("reason")
    def on_submit(ack: Any, body: dict[str, Any]) -> None:
        reason = body["view"]["state"]["values"]["b"]["a"]["value"]
        ack(response_action="errors", errors={"b": "say more"}) if reason == "short" else ack()
        received.events.append(("submitted", body["user"]["id"], reason))

    @app.event("app_mention")
    def on_mention(event: dict[str, Any]) -> None:
        received.events.append(("mention", event["user"], event["text"]))
        received.client.chat_postMessage(channel=event["channel"], text="yes?", thread_ts=event["ts"])

    @app.event("app_home_opened")
    def home(event: dict[str, Any]) -> None:
        received.events.append(("home", event["user"], ""))
        received.client.views_publish(user_id=event["user"], view=HOME)

    return app


def web_client(slack: Workspace, **more: Any) -> WebClient:
    return WebClient(token="xoxb-lab", base_url=f"{slack.url}/api/", **more)


def wait_until(is_true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, "it should have become true by now"
        time.sleep(0.05)
