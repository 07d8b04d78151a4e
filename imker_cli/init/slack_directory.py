"""List a workspace's channels, and the people and user groups that can use Imker, with the names that people know."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from slack_sdk import WebClient

from bot.slack.users import MAX_MEMBER_PAGES, classify
from imker_cli.init.answers.model import Account, Channel

PAGE_SIZE, CHANNEL_TYPES = 900, "public_channel,private_channel"


def list_channels(client: WebClient) -> tuple[Channel, ...]:
    """Return the channels that the bot can see, without archived ones. Raises the errors of slack_sdk."""
    request = partial(client.conversations_list, types=CHANNEL_TYPES, exclude_archived=True)
    return tuple(
        Channel(each["id"], each["name"], bool(each.get("is_member")))
        for each in _items(request, "channels")
        if not each.get("is_archived")
    )


def list_accounts(client: WebClient, team: str) -> tuple[Account, ...]:
    """Return the members and user groups that can use Imker. `team`: the bot's workspace ID."""
    users = [each for each in _items(client.users_list, "members") if classify(each["id"], each, team) == "member"]
    groups = client.usergroups_list()["usergroups"]
    return (*map(_person, users), *map(_group, groups))


def list_joined(client: WebClient, channel: str) -> frozenset[str]:
    """Return the IDs of the channel's members."""
    return frozenset(_items(partial(client.conversations_members, channel=channel), "members"))


def _items(request: Callable[..., Any], key: str) -> Iterator[Any]:
    cursor = None
    for _ in range(MAX_MEMBER_PAGES):
        page = request(cursor=cursor, limit=PAGE_SIZE)
        yield from page[key]
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return


def _person(user: dict[str, Any]) -> Account:
    profile = user.get("profile") or {}
    names = (profile.get("display_name"), user.get("name"), profile.get("real_name"), user.get("real_name"))
    return Account(user["id"], _distinct(*names))


def _group(group: dict[str, Any]) -> Account:
    return Account(group["id"], _distinct(group.get("handle"), group.get("name")))


def _distinct(*names: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for name in names if name))
