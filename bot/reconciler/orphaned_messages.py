"""Messages of runs that a wiped Redis had lost before this reconciler began: looked for in the channels, told once.

In: the channels, newest messages first. Out: an edit of each that says of itself that it goes on, and has no record.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.messages import run_message
from bot.reconciler.publisher import METADATA
from bot.records import DAY
from bot.runs.decisions import TamperedRecord
from bot.runs.store import RunStore
from bot.slack.history import edit, history, own_messages

log = structlog.get_logger()
UNREADABLE_CHANNEL = 200  # Slack's status when it answers with a no, which asking again does not change


class OrphanedMessages:
    """`channels`: still to be looked through; `clock`: UNIX seconds."""

    def __init__(
        self, client: WebClient, runs: RunStore, channels: Iterable[str], clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._runs = runs
        self._channels = list(channels)
        self._clock = clock

    def mark_lost(self) -> None:
        """Once, the last day. Raises what the client raises; asked again, it goes on with that channel."""
        while self._channels:
            try:
                self._search(self._channels[0])
            except SlackApiError as error:
                if error.response.status_code != UNREADABLE_CHANNEL:
                    raise
                log.warning("could not look for runs of before", channel=self._channels[0], error=str(error))
            self._channels.pop(0)

    def _search(self, channel: str) -> None:
        messages = list(history(self._client, channel, self._clock() - DAY))
        for message, closed in own_messages(self._client, messages, METADATA):
            metadata = {name: str(value) for name, value in closed.items()}
            if metadata.get("over") == "no" and self._is_lost(metadata.get("run", "")):
                self._update_message(channel, str(message["ts"]), metadata)

    def _update_message(self, channel: str, ts: str, told: dict[str, str]) -> None:
        """One that Slack does not let be edited keeps no other from being found."""
        try:
            edit(self._client, channel, ts, run_message.run_lost_message(told), METADATA, {**told, "over": "yes"})
        except SlackApiError as refused:
            if refused.response.status_code != UNREADABLE_CHANNEL:
                raise
            log.warning("could not say that a run is forgotten", channel=channel, ts=ts, error=str(refused))

    def _is_lost(self, run: str) -> bool:
        with suppress(TamperedRecord):
            return bool(run) and self._runs.record(run) is None
        return False
