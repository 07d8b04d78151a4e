"""What the stand-in remembers: the team of a small file, and the messages since. Values and lookups; no HTTP here."""

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.slack import manifest

DEFAULT = Path(__file__).with_name("workspace.yaml")
USES, MINUTES = 5, 30  # of a response_url
BROADCAST = "thread_broadcast"  # of what answers in a thread, and stands in the channel as well
TRIGGER = 3.0  # seconds a trigger_id is good for, once


class NoWorkspace(Exception):
    """The file, and what is wrong with it."""


class SlackRefuses(Exception):
    """Slack's own error code, and what goes with it."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more


@dataclass
class Message:
    """`to`: the one user who sees it, "" for all in the channel; `thread`: the ts of what it answers."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    to: str = ""
    thread: str = ""
    subtype: str = ""
    edited: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)

    @property
    def in_channel(self) -> bool:
        return not self.thread or self.subtype == BROADCAST

    def as_slack(self, with_metadata: bool = False) -> dict[str, Any]:
        message: dict[str, Any] = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text}
        message["blocks"] = self.blocks
        if self.subtype:
            message["subtype"] = self.subtype
        if self.thread:
            message["thread_ts"] = self.thread
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
    """`message`: the ts of the one whose button was pressed, "" of a slash command's."""

    user: str
    channel: str
    message: str
    made: float
    used: int = 0


@dataclass
class Trigger:
    user: str
    made: float
    used: bool = False


class State:
    """`config`: of the team; paths in it are relative to it. Raises NoWorkspace."""

    def __init__(self, config: Path | None = None) -> None:
        path = config or DEFAULT
        try:
            self._read(yaml.safe_load(path.read_text()), path.parent)
        except OSError as failed:
            raise NoWorkspace(f"{failed.filename}: {failed.strerror}") from failed
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as failed:
            raise NoWorkspace(f"{path}: no workspace: {' '.join(repr(failed).split())}") from failed
        self.messages: dict[str, Message] = {}
        self.urls: dict[str, ResponseUrl] = {}
        self.triggers: dict[str, Trigger] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.base = ""  # where this server is reached
        self._ids = itertools.count(1)
        self._last = 0.0
        for channel in self.channels.values():
            if channel.get("is_archived"):
                self._marked(channel)

    def _read(self, document: dict[str, Any], folder: Path) -> None:
        self.team: dict[str, Any] = document["team"]
        self.app: dict[str, Any] = document["app"]
        self.users = {user["id"]: {"team_id": self.team["id"], **user} for user in document["users"]}
        self.groups = {group["id"]: group for group in document["groups"]}
        self.channels: dict[str, dict[str, Any]] = {channel["id"]: channel for channel in document["channels"]}
        self.manifest = manifest.read(folder / self.app["manifest"])

    def ts(self) -> str:
        """Slack's timestamps are IDs: no two are the same, and they grow."""
        self._last = max(time.time(), self._last + 0.000001)
        return f"{self._last:.6f}"

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):08d}"

    def new_trigger(self, user: str) -> str:
        trigger = self.new_id("trigger.")
        self.triggers[trigger] = Trigger(user, time.time())
        return trigger

    def post(self, message: Message) -> None:
        self.messages[message.ts] = message

    def within(self, channel: Any) -> dict[str, Any]:
        """One that the app is in. A user's ID stands for their direct messages with it."""
        found = self.channels.get(str(channel)) or self._direct(str(channel))
        if found is None:
            raise SlackRefuses("channel_not_found")
        if self.app["bot_user"] not in found["members"]:
            raise SlackRefuses("is_archived" if found.get("is_archived") else "not_in_channel")
        return found

    def channel(self, channel: Any) -> dict[str, Any]:
        """One that the app may write into."""
        found = self.within(channel)
        if found.get("is_archived"):
            raise SlackRefuses("is_archived")
        return found

    def _direct(self, user: str) -> dict[str, Any] | None:
        known = self.users.get(user.removeprefix("D"))
        if known is None or known.get("is_bot") or known.get("deleted"):
            return None
        members = [self.app["bot_user"], known["id"]]
        made: dict[str, Any] = {"name": "directmessage", "members": members, "is_im": True}
        return self.channels.setdefault(f"D{known['id']}", {"id": f"D{known['id']}", **made})

    def tend(self, channel: str, *, archived: bool, app: bool) -> None:
        """`app`: whether it is a member."""
        found, me = self.channels[channel], self.app["bot_user"]
        if archived != bool(found.get("is_archived")):
            found["is_archived"] = archived
            self._marked(found)
        found["members"] = [member for member in found["members"] if member != me] + [me] * app

    def _marked(self, channel: dict[str, Any]) -> None:
        """A channel's history says when somebody archived it or brought it back."""
        what = "archive" if channel["is_archived"] else "unarchive"
        who = next((user for user in channel["members"] if user != self.app["bot_user"]), "")
        self.post(Message(self.ts(), channel["id"], who, f"{what}d the channel", subtype=f"channel_{what}"))

    def message(self, channel: str, ts: str) -> Message:
        found = self.messages.get(ts)
        if found is None or found.channel != channel or found.to:
            raise SlackRefuses("message_not_found")
        return found

    def thread(self, channel: str, arguments: dict[str, Any]) -> str:
        """The ts of what is to be answered, "" for none."""
        ts = str(arguments.get("thread_ts") or "")
        found = self.messages.get(ts)
        if ts and (found is None or found.channel != channel or found.to):
            raise SlackRefuses("thread_not_found")
        return ts

    def seen_by(self, user: str, channel: str) -> list[Message]:
        """What a user sees in a channel, threads included, oldest first."""
        if channel not in self.channels or user not in self.channels[channel]["members"]:
            return []
        return [m for m in self.messages.values() if m.channel == channel and m.to in ("", user)]
