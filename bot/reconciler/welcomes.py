"""Welcome each channel that the bot joins, once."""

from dataclasses import dataclass
from functools import partial

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.messages.block_kit import Message
from bot.messages.replies.welcome import welcome
from bot.reconciler.post_once import post_once
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack.errors import NEEDS_ADMIN, error_code
from bot.slack.history import edit, history, own_messages, post

log = structlog.get_logger()
METADATA = "imker_welcome"


@dataclass(frozen=True)
class WelcomePoster:
    """Post welcomes, and add the names of people by an edit, which alerts no one."""

    client: WebClient
    runs: RunStore
    settings: Settings

    def post_requested(self) -> None:
        """Welcome every channel that waits for it."""
        for channel in self.runs.welcomes.requested():
            try:
                self._welcome(channel)
            except SlackApiError as error:
                if error_code(error) not in NEEDS_ADMIN:
                    raise
                log.info("could not welcome a channel", channel=channel, error=error_code(error))
            self.runs.welcomes.remove(channel)

    def _welcome(self, channel: str) -> None:
        posted_messages = self.runs.posted_messages
        fields = posted_messages.welcomed()
        if fields.get(f"{channel} edited"):
            return
        ts = post_once(
            fields, posted_messages.update_welcomed, channel, partial(self._find, channel), partial(self._send, channel)
        )
        edit(self.client, channel, ts.value, self._message(channel, True), METADATA, {"channel": channel})
        posted_messages.update_welcomed(**{f"{channel} edited": "1"})

    def _find(self, channel: str) -> str:
        matches = own_messages(self.client, history(self.client, channel), METADATA)
        return next((str(message["ts"]) for message, _ in matches), "")

    def _send(self, channel: str) -> str:
        return post(self.client, channel, self._message(channel, False), METADATA, {"channel": channel})

    def _message(self, channel: str, with_names: bool) -> Message:
        return welcome(channel, self.settings.channels, self.settings.rights, with_names)
