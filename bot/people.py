"""What Slack says of a person, as a policy needs it: kind and groups. The only place that asks.

An answer to a question is kept for a minute; a decision of weight asks anew. What Slack does not tell counts as no.
"""

import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot.patience import code
from bot.policy import Actor, Kind

KEPT = 60.0  # seconds
SLACKBOT = "USLACKBOT"  # says what others had it say, and Slack does not call it a bot


class People:
    """`groups`: the user group IDs that the configuration names; none are asked for if it names none."""

    def __init__(self, client: WebClient, groups: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._groups = groups
        self._clock = clock
        self._known: dict[str, tuple[float, Actor]] = {}

    def actor(self, user: str, team: str, *, fresh: bool) -> Actor:
        known = self._known.get(user)
        if known and not fresh and self._clock() - known[0] < KEPT:
            return known[1]
        actor = Actor(user, self._kind(user, team), self._groups_of(user))
        if actor.kind != "untold" and actor.groups is not None:
            self._known[user] = (self._clock(), actor)
        return actor

    def _kind(self, user: str, team: str) -> Kind:
        try:
            told: dict[str, Any] = self._client.users_info(user=user)["user"]
        except (SlackClientError, OSError, HTTPException) as failed:
            return "stranger" if _unknown(failed) else "untold"
        if told.get("deleted"):
            return "deactivated"
        if told.get("is_bot") or told.get("is_workflow_bot") or user == SLACKBOT:
            return "bot"
        if told.get("is_restricted") or told.get("is_ultra_restricted"):
            return "guest"
        if told.get("is_stranger") or told.get("team_id") != team:
            return "stranger"
        return "member"

    def _groups_of(self, user: str) -> frozenset[str] | None:
        try:
            return frozenset(
                group for group in self._groups if user in self._client.usergroups_users_list(usergroup=group)["users"]
            )
        except (SlackClientError, OSError, HTTPException):
            return None


def _unknown(failed: Exception) -> bool:
    """Whom Slack says it does not know, or not to us, is nobody's colleague; all else is Slack's own trouble."""
    return code(failed) in ("user_not_found", "user_not_visible")
