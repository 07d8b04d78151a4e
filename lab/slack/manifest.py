"""The app's manifest, as far as the fake Slack enforces it: scopes and event subscriptions."""

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Manifest:
    scopes: frozenset[str]
    commands: frozenset[str]
    events: frozenset[str]
    interactive: bool


def read_manifest(path: Path) -> Manifest:
    document = yaml.safe_load(path.read_text())
    settings = document.get("settings", {})
    return Manifest(
        frozenset(document["oauth_config"]["scopes"]["bot"]),
        frozenset(command["command"] for command in document.get("features", {}).get("slash_commands", ())),
        frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
        bool(settings.get("interactivity", {}).get("is_enabled")),
    )
