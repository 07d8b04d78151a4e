"""Look up users in Slack: what kind of account, in which user groups, and in which channels.

Answers are cached for a minute; a decision that matters asks Slack again. If Slack does not answer, the account counts
as unknown, which the policy refuses.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot.auth.policy import Actor, Kind
from bot.slack.errors import error_code

CACHE_SECONDS = 60.0
MAX_MEMBER_PAGES, MEMBERS_PER_PAGE = 20, 1000
SLACKBOT = "USLACKBOT"  # posts what other people scheduled, and users.info does not report it as a bot
UNKNOWN_USER_ERRORS = ("user_not_found", "user_not_visible")


class UserDirectory:
    """Fetch and cache actors. `groups`: the user group IDs that the configuration lists; `clock`: monotonic seconds."""

    def __init__(self, client: WebClient, groups: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._groups = groups
        self._clock = clock
        self._cache: dict[str, tuple[float, Actor]] = {}
        self._members: dict[str, tuple[float, frozenset[str]]] = {}  # by channel

    def fetch_actor(self, user: str, team: str, *, fresh: bool) -> Actor:
        """Return the user's kind and groups. `team`: the bot's workspace ID; `fresh`: do not use the cache."""
        cached = self._cache.get(user)
        if cached and not fresh and self._clock() - cached[0] < CACHE_SECONDS:
            return cached[1]
        actor = Actor(user, self._kind(user, team), self._groups_of(user))
        if actor.kind != "unknown" and actor.groups is not None:
            self._cache[user] = (self._clock(), actor)
        return actor

    def joined_channels(self, user: str, channels: Iterable[str]) -> tuple[str, ...]:
        """Return those channels that the user is a member of. A channel that Slack does not return is left out."""
        return tuple(channel for channel in channels if user in self._members_of(channel))

    def can_answer(self, channel: str, user: str, team: str) -> bool:
        """Return whether the user has a member's account and is in the channel. Assumed if Slack does not say."""
        members = self._members_of(channel)
        return (not members or user in members) and self._kind(user, team) in ("member", "unknown")

    def _members_of(self, channel: str) -> frozenset[str]:
        cached = self._members.get(channel)
        if cached and self._clock() - cached[0] < CACHE_SECONDS:
            return cached[1]
        try:
            members = frozenset(self._fetch_members(channel))
        except (SlackClientError, OSError, HTTPException):
            return frozenset()
        self._members[channel] = (self._clock(), members)
        return members

    def _fetch_members(self, channel: str) -> Iterator[str]:
        cursor = None
        for _ in range(MAX_MEMBER_PAGES):
            page = self._client.conversations_members(channel=channel, cursor=cursor, limit=MEMBERS_PER_PAGE)
            yield from page["members"]
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    def _kind(self, user: str, team: str) -> Kind:
        try:
            return classify(user, self._client.users_info(user=user)["user"], team)
        except (SlackClientError, OSError, HTTPException) as error:
            return "external" if is_unknown_user(error) else "unknown"

    def _groups_of(self, user: str) -> frozenset[str] | None:
        try:
            return frozenset(
                group for group in self._groups if user in self._client.usergroups_users_list(usergroup=group)["users"]
            )
        except (SlackClientError, OSError, HTTPException):
            return None


def classify(user: str, profile: Mapping[str, Any], team: str) -> Kind:
    """Return the kind of account. `profile`: the `user` object of users.info; `team`: the bot's workspace ID."""
    if profile.get("deleted"):
        return "deactivated"
    if profile.get("is_bot") or profile.get("is_workflow_bot") or user == SLACKBOT:
        return "bot"
    if profile.get("is_restricted") or profile.get("is_ultra_restricted"):
        return "guest"
    if profile.get("is_stranger") or profile.get("team_id") != team:
        return "external"
    return "member"


def user_name(client: WebClient, user: str) -> str:
    """Return the name that Slack shows for a user, "" if Slack does not return it."""
    try:
        profile = client.users_info(user=user).get("user") or {}
    except (SlackClientError, OSError, HTTPException):
        return ""
    names = profile.get("profile") or {}
    return str(names.get("display_name") or names.get("real_name") or profile.get("name") or "")


def is_unknown_user(error: Exception) -> bool:
    """Return whether Slack says that there is no such user here. Any other error is a failure of the lookup."""
    return error_code(error) in UNKNOWN_USER_ERRORS
