"""What the stand-in remembers: the team of a small file, and the messages since. Values and lookups; no HTTP here."""

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEFAULT = Path(__file__).with_name("workspace.yaml")
USES, MINUTES = 5, 30  # of a response_url
TRIGGER = 3.0  # seconds a trigger_id is good for, once


class SlackRefuses(Exception):
    """Slack's own error code, and what goes with it."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more


@dataclass
class Message:
    """`to`: the one user who sees it, "" for all in the channel; `thread`: the ts of what it answers, `broadcast`: in

    the channel as well.
    """

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    to: str = ""
    thread: str = ""
    broadcast: bool = False
    edited: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)

    @property
    def in_channel(self) -> bool:
        return self.broadcast or not self.thread

    def as_slack(self, with_metadata: bool = False) -> dict[str, Any]:
        message: dict[str, Any] = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text}
        message["blocks"] = self.blocks
        if self.thread:
            message["thread_ts"] = self.thread
        if self.broadcast:
            message["subtype"] = "thread_broadcast"
        if self.files:
            message["files"] = self.files
        if self.reactions:
            message["reactions"] = [{"name": name, "count": 1} for name in self.reactions]
        if self.edited:
            message["edited"] = {"user": self.user, "ts": self.ts}
        if with_metadata and self.metadata:
            message["metadata"] = self.metadata
        return message

    def as_seen(self) -> dict[str, Any]:
        return {**self.as_slack(), "channel": self.channel, "ephemeral": bool(self.to)}


@dataclass
class ResponseUrl:
    user: str
    channel: str
    message: str
    made: float
    used: int = 0


class State:
    def __init__(self, config: Path | None = None) -> None:
        document = yaml.safe_load((config or DEFAULT).read_text())
        self.team: dict[str, Any] = document["team"]
        self.app: dict[str, Any] = document["app"]
        self.users = {user["id"]: {"team_id": self.team["id"], **user} for user in document["users"]}
        self.groups = {group["id"]: group for group in document["groups"]}
        self.channels = {channel["id"]: channel for channel in document["channels"]}
        self.scopes = _scopes(Path(self.app["manifest"]))
        self.messages: dict[str, Message] = {}
        self.urls: dict[str, ResponseUrl] = {}
        self.triggers: dict[str, tuple[str, float]] = {}  # trigger_id -> user, when
        self.views: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.base = ""  # where this server is reached
        self._ids = itertools.count(1)
        self._last = 0.0

    def ts(self) -> str:
        """Slack's timestamps are IDs: no two are the same, and they grow."""
        self._last = max(time.time(), self._last + 0.000001)
        return f"{self._last:.6f}"

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):08d}"

    def new_trigger(self, user: str) -> str:
        trigger = self.new_id("trigger.")
        self.triggers[trigger] = (user, time.time())
        return trigger

    def channel(self, channel: str) -> dict[str, Any]:
        """One that the app may write into."""
        found: dict[str, Any] | None = self.channels.get(channel)
        if found is None:
            raise SlackRefuses("channel_not_found")
        if found.get("is_archived"):
            raise SlackRefuses("is_archived")
        if self.app["bot_user"] not in found["members"]:
            raise SlackRefuses("not_in_channel")
        return found

    def tend(self, channel: str, *, archived: bool, app: bool) -> None:
        """`app`: whether it is a member."""
        found, me = self.channels[channel], self.app["bot_user"]
        found["is_archived"] = archived
        found["members"] = [member for member in found["members"] if member != me] + [me] * app

    def message(self, channel: str, ts: str) -> Message:
        found = self.messages.get(ts)
        if found is None or found.channel != channel or found.to:
            raise SlackRefuses("message_not_found")
        return found

    def seen_by(self, user: str, channel: str) -> list[Message]:
        """What a user sees in a channel, threads included, oldest first."""
        if user not in self.channels[channel]["members"]:
            return []
        return [m for m in self.messages.values() if m.channel == channel and m.to in ("", user)]


def _scopes(manifest: Path) -> frozenset[str]:
    return frozenset(yaml.safe_load(manifest.read_text())["oauth_config"]["scopes"]["bot"])
