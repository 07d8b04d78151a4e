"""A user whom Slack does not know is external. If the lookup fails, the user is refused for that reason."""

from http.client import IncompleteRead
from typing import Any
from urllib.error import URLError

import pytest
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.auth.permissions import Permission
from bot.auth.policy import Allowed, Denied, authorize
from bot.auth.rights import Rights
from bot.slack.users import UserDirectory

ALICE, TEAM, OPS = "U01ALICE", "T01IMKER", "C01OPS"
OPEN = Rights(read=("*",))


class Slack:
    """A Slack client that returns its answers in order, and repeats the last one. `members`: of each channel."""

    def __init__(self, *answers: Exception | dict[str, Any], members: tuple[str, ...] | None = None) -> None:
        self._answers = list(answers)
        self._members = members

    def conversations_members(self, channel: str, **_: Any) -> dict[str, Any]:
        if self._members is None:
            raise slack_error("internal_error")
        return {"members": list(self._members)}

    def users_info(self, user: str) -> dict[str, Any]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"user": {"id": user, "team_id": TEAM, **answer}}


def slack_error(error: str) -> SlackApiError:
    return SlackApiError("no", {"ok": False, "error": error})


def actor_kind(people: UserDirectory, *, fresh: bool = False) -> str:
    """Return the reason of the refusal, "" if the user is allowed."""
    answer = authorize(OPEN, (OPS,), people.fetch_actor(ALICE, TEAM, fresh=fresh), Permission("nodes"), OPS)
    return answer.reason if isinstance(answer, Denied) else ""


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (slack_error("user_not_found"), "users of other workspaces can't use Imker"),
        (slack_error("user_not_visible"), "users of other workspaces can't use Imker"),
        (slack_error("ratelimited"), "Slack didn't return your profile"),
        (slack_error("internal_error"), "Slack didn't return your profile"),
        (slack_error("missing_scope"), "Slack didn't return your profile"),
        (SlackRequestError("no"), "Slack didn't return your profile"),
        (URLError("refused"), "Slack didn't return your profile"),
        (TimeoutError(), "Slack didn't return your profile"),
        (IncompleteRead(b"{"), "Slack didn't return your profile"),
        ({"team_id": "T02OTHER"}, "users of other workspaces can't use Imker"),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("fresh", [True, False])
def test_names_the_reason_of_a_refusal(answer: Exception | dict[str, Any], says: str, fresh: bool) -> None:
    reason = actor_kind(UserDirectory(Slack(answer), ()), fresh=fresh)  # type: ignore[arg-type]
    assert says in reason
    assert bool(reason) is bool(says)


def test_a_failed_lookup_is_not_cached() -> None:
    people = UserDirectory(Slack(slack_error("ratelimited"), {}), ())  # type: ignore[arg-type]
    assert "Try again" in actor_kind(people)
    assert actor_kind(people) == ""


def test_a_failed_group_lookup_is_not_cached() -> None:
    """A group that Slack did not return must not be cached as an empty group."""

    class Groups(Slack):
        def usergroups_users_list(self, usergroup: str) -> dict[str, Any]:
            if not groups:
                raise IncompleteRead(b"{")
            return {"users": groups.pop()}

    groups: list[list[str]] = []
    people = UserDirectory(Groups({}), ("S01OPS",))  # type: ignore[arg-type]
    rights = Rights(read=("S01OPS",))
    denied = authorize(rights, (OPS,), people.fetch_actor(ALICE, TEAM, fresh=False), Permission("nodes"), OPS)
    assert isinstance(denied, Denied)
    assert "Slack didn't return the members" in denied.reason
    groups.append([ALICE])
    assert isinstance(
        authorize(rights, (OPS,), people.fetch_actor(ALICE, TEAM, fresh=False), Permission("nodes"), OPS), Allowed
    )


@pytest.mark.parametrize(
    ("profile", "members", "expected"),
    [
        ({}, (ALICE,), True),
        ({}, ("U02BOB",), False),
        ({"is_restricted": True}, (ALICE,), False),
        ({"deleted": True}, (ALICE,), False),
        ({"is_bot": True}, (ALICE,), False),
        (slack_error("user_not_found"), (ALICE,), False),
        (slack_error("internal_error"), (ALICE,), True),
        (TimeoutError(), None, True),
        ({}, None, True),
        ({"deleted": True}, None, False),
    ],
)
def test_only_members_of_the_channel_can_answer(
    profile: Exception | dict[str, Any], members: tuple[str, ...] | None, expected: bool
) -> None:
    people = UserDirectory(Slack(profile, members=members), ())  # type: ignore[arg-type]
    assert people.can_answer(OPS, ALICE, TEAM) is expected
