"""Mark the messages of runs that Redis lost before this reconciler started.

In: the last day of each channel. Out: an edit of each message and alert of an open run that has no record anymore.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.messages import alert
from bot.messages.runs import run_message
from bot.reconciler import alerts
from bot.reconciler.publisher import METADATA
from bot.records import DAY
from bot.runs.decisions import TamperedRecord
from bot.runs.store import RunStore
from bot.slack.history import edit, history, own_messages

log = structlog.get_logger()
LOST_MESSAGES = {METADATA: run_message.run_lost_message, alerts.METADATA: alert.lost_alert}  # by kind of metadata
REJECTED = 200  # HTTP status of an error that trying again does not change, such as channel_not_found


class OrphanedMessages:
    """`channels`: still to be searched; `clock`: UNIX seconds."""

    def __init__(
        self, client: WebClient, runs: RunStore, channels: Iterable[str], clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._runs = runs
        self._channels = list(channels)
        self._clock = clock

    def mark_lost(self) -> None:
        """Search each channel once. Raise what the client raises; the next call continues with that channel."""
        while self._channels:
            try:
                self._search(self._channels[0])
            except SlackApiError as error:
                if error.response.status_code != REJECTED:
                    raise
                log.warning("could not search for lost runs", channel=self._channels[0], error=str(error))
            self._channels.pop(0)

    def _search(self, channel: str) -> None:
        messages = list(history(self._client, channel, self._clock() - DAY))
        for kind in LOST_MESSAGES:
            for message, payload in own_messages(self._client, messages, kind):
                metadata = {name: str(value) for name, value in payload.items()}
                if metadata.get("over") == "no" and self._is_lost(metadata.get("run", "")):
                    self._mark(channel, str(message["ts"]), kind, metadata)

    def _mark(self, channel: str, ts: str, kind: str, metadata: dict[str, str]) -> None:
        """Edit the message. One that can no longer be edited does not stop the search."""
        message = LOST_MESSAGES[kind](metadata)
        try:
            edit(self._client, channel, ts, message, kind, {**metadata, "over": "yes"})
        except SlackApiError as error:
            if error.response.status_code != REJECTED:
                raise
            log.warning("could not mark a message as lost", channel=channel, ts=ts, error=str(error))

    def _is_lost(self, run: str) -> bool:
        with suppress(TamperedRecord):
            return bool(run) and self._runs.record(run) is None
        return False
