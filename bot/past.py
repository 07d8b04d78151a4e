"""Messages of runs that a wiped Redis had lost before this reporter began: looked for in the channels, told once.

In: the channels, newest messages first. Out: an edit of each that says of itself that it goes on, and has no record.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import blocks
from bot.decisions import Forged
from bot.messages import METADATA
from bot.record import DAY
from bot.runs import Runs
from bot.thread import edit, history, own

log = structlog.get_logger()
REFUSED = 200  # Slack's status when it answers with a no, which asking again does not change


class Past:
    """`channels`: still to be looked through; `clock`: UNIX seconds."""

    def __init__(
        self, client: WebClient, runs: Runs, channels: Iterable[str], clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._runs = runs
        self._channels = list(channels)
        self._clock = clock

    def tell(self) -> None:
        """Once, the last day. Raises what the client raises; asked again, it goes on with that channel."""
        while self._channels:
            try:
                self._look(self._channels[0])
            except SlackApiError as refused:
                if refused.response.status_code != REFUSED:
                    raise
                log.warning("could not look for runs of before", channel=self._channels[0], error=str(refused))
            self._channels.pop(0)

    def _look(self, channel: str) -> None:
        messages = list(history(self._client, channel, self._clock() - DAY))
        for message, said in own(self._client, messages, METADATA):
            told = {name: str(value) for name, value in said.items()}
            if told.get("over") == "no" and self._is_lost(told.get("run", "")):
                self._say(channel, str(message["ts"]), told)

    def _say(self, channel: str, ts: str, told: dict[str, str]) -> None:
        """One that Slack does not let be edited keeps no other from being found."""
        try:
            edit(self._client, channel, ts, blocks.forgotten(told), METADATA, {**told, "over": "yes"})
        except SlackApiError as refused:
            if refused.response.status_code != REFUSED:
                raise
            log.warning("could not say that a run is forgotten", channel=channel, ts=ts, error=str(refused))

    def _is_lost(self, run: str) -> bool:
        with suppress(Forged):
            return bool(run) and self._runs.record(run) is None
        return False
