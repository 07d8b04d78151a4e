"""Find whom an alert reaches: who can answer, and the channels of the run's thread or of direct messages."""

import time
from collections.abc import Callable, Iterable

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.auth.recipients import limit_people
from bot.settings import Notify
from bot.slack.errors import RATE_LIMITED, error_code

log = structlog.get_logger()
MISSING_SCOPE = "missing_scope"
LOOKUP_SECONDS = 300.0  # during which a user is not looked up in Slack again
HINT = "Add im:write and im:history in the app's OAuth & Permissions, then reinstall the app."


CanAnswer = Callable[[str, str], bool]  # a channel, and a user


class AlertRecipients:
    """Open direct messages if `[slack] notify = "dm"`. Without the scope, alerts go to the channel.

    `can_answer`: asks Slack whether a user can answer in a channel; `clock`: monotonic seconds.
    """

    def __init__(
        self, client: WebClient, notify: Notify, can_answer: CanAnswer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._sends_direct = notify == "dm"
        self._can_answer = can_answer
        self._clock = clock
        self._answers: dict[tuple[str, str], tuple[float, bool]] = {}

    def can_answer(self, channel: str, user: str) -> bool:
        """Return whether the user can answer in the channel, as Slack said a few minutes ago."""
        at, answer = self._answers.get((channel, user), (-LOOKUP_SECONDS, True))
        if self._clock() - at >= LOOKUP_SECONDS:
            answer = self._can_answer(channel, user)
            self._answers[channel, user] = (self._clock(), answer)
        return answer

    def channels(self, recipients: tuple[str, ...], excluded: frozenset[str]) -> tuple[str, ...]:
        """Return the channels of the recipients' direct messages, () for the run's thread.

        `excluded`: members of groups that get none.
        """
        if not self._sends_direct:
            return ()
        members = (user for recipient in recipients for user in self._members(recipient))
        users = limit_people(tuple(user for user in members if user not in excluded))
        return tuple(filter(None, map(self._open, users)))

    def _members(self, recipient: str) -> Iterable[str]:
        """Return the members of a group, or the user. A group that Slack does not return has none."""
        if not recipient.startswith("S"):
            return (recipient,)
        try:
            return tuple(self._client.usergroups_users_list(usergroup=recipient)["users"])
        except SlackApiError as error:
            return self._skip(error, recipient)

    def _open(self, user: str) -> str:
        """Return the channel, "" if Slack refuses it for this user."""
        try:
            return str(self._client.conversations_open(users=user)["channel"]["id"]) if self._sends_direct else ""
        except SlackApiError as error:
            self._skip(error, user)
            return ""

    def _skip(self, error: SlackApiError, recipient: str) -> tuple[str, ...]:
        """Log why a recipient gets no direct message. Raise a rate limit or a failure, which pass."""
        if error.response.status_code == RATE_LIMITED or not error_code(error):
            raise error
        if error_code(error) == MISSING_SCOPE:
            self._sends_direct = False
            log.error('[slack] notify = "dm" needs another scope; alerts go to the channel', hint=HINT)
        else:
            log.warning("no direct message", recipient=recipient, error=error_code(error))
        return ()
