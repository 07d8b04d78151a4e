"""What Slack says of a person, as a policy needs it: kind and groups. The only place that asks.

An answer to a question is kept for a minute; a decision of weight asks anew. What Slack does not tell counts as no.
"""

import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot.auth.policy import Actor, Kind
from bot.slack.errors import error_code

CACHE_SECONDS = 60.0  # seconds
SLACKBOT = "USLACKBOT"  # says what others had it say, and Slack does not call it a bot


class UserDirectory:
    """`groups`: the user group IDs that the configuration names; none are asked for if it names none."""

    def __init__(self, client: WebClient, groups: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._groups = groups
        self._clock = clock
        self._cache: dict[str, tuple[float, Actor]] = {}

    def fetch_actor(self, user: str, team: str, *, fresh: bool) -> Actor:
        cached = self._cache.get(user)
        if cached and not fresh and self._clock() - cached[0] < CACHE_SECONDS:
            return cached[1]
        actor = Actor(user, self._kind(user, team), self._groups_of(user))
        if actor.kind != "unknown" and actor.groups is not None:
            self._cache[user] = (self._clock(), actor)
        return actor

    def _kind(self, user: str, team: str) -> Kind:
        try:
            profile: dict[str, Any] = self._client.users_info(user=user)["user"]
        except (SlackClientError, OSError, HTTPException) as error:
            return "external" if _is_unknown_user(error) else "unknown"
        if profile.get("deleted"):
            return "deactivated"
        if profile.get("is_bot") or profile.get("is_workflow_bot") or user == SLACKBOT:
            return "bot"
        if profile.get("is_restricted") or profile.get("is_ultra_restricted"):
            return "guest"
        if profile.get("is_stranger") or profile.get("team_id") != team:
            return "external"
        return "member"

    def _groups_of(self, user: str) -> frozenset[str] | None:
        try:
            return frozenset(
                group for group in self._groups if user in self._client.usergroups_users_list(usergroup=group)["users"]
            )
        except (SlackClientError, OSError, HTTPException):
            return None


def _is_unknown_user(error: Exception) -> bool:
    """Whom Slack says it does not know, or not to us, is nobody's colleague; all else is Slack's own trouble."""
    return error_code(error) in ("user_not_found", "user_not_visible")
