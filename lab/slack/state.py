"""The state of the fake Slack: the team from a small file, and the messages since. Values and lookups, no HTTP."""

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.slack import manifest
from lab.slack.patience import PATIENCE

DEFAULT_CONFIG = Path(__file__).with_name("workspace.yaml")
RESPONSE_URL_USES, RESPONSE_URL_MINUTES = 5, 30  # uses and lifetime of a response_url
BROADCAST_SUBTYPE = "thread_broadcast"  # a thread reply that is also sent to the channel
TRIGGER_TTL = PATIENCE  # seconds that a trigger_id is valid, for one use


class InvalidWorkspace(Exception):
    """The workspace file is invalid. The text names the file and the problem."""


class SlackError(Exception):
    """Slack's own error code, with its fields."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.fields = more


@dataclass
class Message:
    """A message. `only_user` is the user who sees it, "" for all. `thread_ts` is the ts of its parent, "" for none."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    only_user: str = ""
    thread_ts: str = ""
    subtype: str = ""
    is_edited: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)

    @property
    def in_channel(self) -> bool:
        return not self.thread_ts or self.subtype == BROADCAST_SUBTYPE

    def as_slack(self, with_metadata: bool = False) -> dict[str, Any]:
        message: dict[str, Any] = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text}
        message["blocks"] = self.blocks
        if self.subtype:
            message["subtype"] = self.subtype
        if self.thread_ts:
            message["thread_ts"] = self.thread_ts
        if self.files:
            message["files"] = self.files
        if self.reactions:
            message["reactions"] = [{"name": name, "count": 1} for name in self.reactions]
        if self.is_edited:
            message["edited"] = {"user": self.user, "ts": self.ts}
        if with_metadata and self.metadata:
            message["metadata"] = self.metadata
        return message

    def as_visible(self) -> dict[str, Any]:
        return {**self.as_slack(), "channel": self.channel, "ephemeral": bool(self.only_user)}


@dataclass
class ResponseUrl:
    """A response_url. `message_ts` is the message whose button was pressed, "" for a slash command."""

    user: str
    channel: str
    message_ts: str
    created_at: float
    use_count: int = 0


@dataclass
class Trigger:
    """A trigger_id. `view_id`: the view whose element was used, "" for another place."""

    user: str
    created_at: float
    is_used: bool = False
    view_id: str = ""


class SlackState:
    """The state. Paths in the `config` of the team are relative to it. Raises InvalidWorkspace."""

    def __init__(self, config: Path | None = None) -> None:
        path = config or DEFAULT_CONFIG
        try:
            self._load(yaml.safe_load(path.read_text()), path.parent)
        except OSError as error:
            raise InvalidWorkspace(f"{error.filename}: {error.strerror}") from error
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise InvalidWorkspace(f"{path}: no workspace: {' '.join(repr(error).split())}") from error
        self.messages: dict[str, Message] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.triggers: dict[str, Trigger] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.notifications: list[dict[str, Any]] = []  # oldest first
        self.base_url = ""  # the server's own URL
        self._ids = itertools.count(1)
        self._last_ts = 0.0
        for channel in self.channels.values():
            if channel.get("is_archived"):
                self._post_archive_notice(channel)

    def _load(self, document: dict[str, Any], folder: Path) -> None:
        self.team: dict[str, Any] = document["team"]
        self.app: dict[str, Any] = document["app"]
        self.users = {user["id"]: {"team_id": self.team["id"], **user} for user in document["users"]}
        self.groups = {group["id"]: group for group in document["groups"]}
        self.channels: dict[str, dict[str, Any]] = {channel["id"]: channel for channel in document["channels"]}
        self.manifest = manifest.read_manifest(folder / self.app["manifest"])

    def new_ts(self) -> str:
        """Return a new timestamp. Slack's timestamps are IDs: unique and increasing."""
        self._last_ts = max(time.time(), self._last_ts + 0.000001)
        return f"{self._last_ts:.6f}"

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):08d}"

    def new_trigger(self, user: str, view_id: str = "") -> str:
        trigger = self.new_id("trigger.")
        self.triggers[trigger] = Trigger(user, time.time(), view_id=view_id)
        return trigger

    def post(self, message: Message) -> None:
        self.messages[message.ts] = message

    def require_scope(self, scope: str) -> None:
        """Raise SlackError unless the app has the scope."""
        if scope not in self.manifest.scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(self.manifest.scopes)))

    def readable_channel(self, channel: Any) -> dict[str, Any]:
        """Return a channel that the app may read. Direct messages need a scope of their own."""
        joined = self.joined_channel(channel)
        if joined.get("is_im"):
            self.require_scope("im:history")
        return joined

    def joined_channel(self, channel: Any) -> dict[str, Any]:
        """Return a channel that the app is a member of. A user ID stands for their direct messages with the app."""
        joined = self.channels.get(str(channel)) or self._direct_channel(str(channel))
        if joined is None:
            raise SlackError("channel_not_found")
        if self.app["bot_user"] not in joined["members"]:
            raise SlackError("is_archived" if joined.get("is_archived") else "not_in_channel")
        return joined

    def writable_channel(self, channel: Any) -> dict[str, Any]:
        """Return a channel that the app may post to."""
        joined = self.joined_channel(channel)
        if joined.get("is_archived"):
            raise SlackError("is_archived")
        return joined

    def _direct_channel(self, user: str) -> dict[str, Any] | None:
        profile = self.users.get(user.removeprefix("D"))
        if profile is None or profile.get("is_bot") or profile.get("deleted"):
            return None
        members = [self.app["bot_user"], profile["id"]]
        fields: dict[str, Any] = {"name": "directmessage", "members": members, "is_im": True}
        return self.channels.setdefault(f"D{profile['id']}", {"id": f"D{profile['id']}", **fields})

    def update_channel(self, channel: str, *, archived: bool, app: bool) -> None:
        """Archive or restore a channel. `app` is whether the app is a member."""
        details, bot_user = self.channels[channel], self.app["bot_user"]
        if archived != bool(details.get("is_archived")):
            details["is_archived"] = archived
            self._post_archive_notice(details)
        details["members"] = [member for member in details["members"] if member != bot_user] + [bot_user] * app

    def _post_archive_notice(self, channel: dict[str, Any]) -> None:
        """Post the notice that Slack adds when a user archives or restores a channel."""
        verb = "archive" if channel["is_archived"] else "unarchive"
        user_id = next((user for user in channel["members"] if user != self.app["bot_user"]), "")
        self.post(Message(self.new_ts(), channel["id"], user_id, f"{verb}d the channel", subtype=f"channel_{verb}"))

    def find_message(self, channel: str, ts: str) -> Message:
        message = self.messages.get(ts)
        if message is None or message.channel != channel or message.only_user:
            raise SlackError("message_not_found")
        return message

    def resolve_thread(self, channel: str, arguments: dict[str, Any]) -> str:
        """Return the ts of the thread to reply to, "" for none."""
        ts = str(arguments.get("thread_ts") or "")
        parent = self.messages.get(ts)
        if ts and (parent is None or parent.channel != channel or parent.only_user):
            raise SlackError("thread_not_found")
        return ts

    def messages_visible_to(self, user: str, channel: str) -> list[Message]:
        """Return what a user sees in a channel, threads included, oldest first."""
        if channel not in self.channels or user not in self.channels[channel]["members"]:
            return []
        return [
            message
            for message in self.messages.values()
            if message.channel == channel and message.only_user in ("", user)
        ]
