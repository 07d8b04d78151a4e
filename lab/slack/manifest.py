"""The app's manifest, as far as the fake Slack enforces it: scopes, events, shortcuts, and the Home tab."""

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Manifest:
    scopes: frozenset[str]
    commands: frozenset[str]
    events: frozenset[str]
    interactive: bool
    shortcuts: tuple[tuple[str, str], ...] = ()  # callback ID and name of each global shortcut
    home_tab: bool = False


def read_manifest(path: Path) -> Manifest:
    document = yaml.safe_load(path.read_text())
    settings, features = document.get("settings", {}), document.get("features", {})
    shortcuts = (each for each in features.get("shortcuts", ()) if each["type"] == "global")
    return Manifest(
        frozenset(document["oauth_config"]["scopes"]["bot"]),
        frozenset(command["command"] for command in features.get("slash_commands", ())),
        frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
        bool(settings.get("interactivity", {}).get("is_enabled")),
        tuple((each["callback_id"], each["name"]) for each in shortcuts),
        bool(features.get("app_home", {}).get("home_tab_enabled")),
    )
