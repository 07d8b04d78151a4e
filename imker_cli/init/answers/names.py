"""Find channels, people, and hosts by the names that a person types. Pure."""

import re
from collections.abc import Iterable

from imker_cli.init.answers.model import Account, AnswerError, Channel

INVITE = "type `/invite @imker` in it"


def find_channel(text: str, channels: Iterable[Channel]) -> Channel:
    """Return the channel with this name or ID, of which the bot has to be a member. Raise AnswerError."""
    name = text.strip().removeprefix("#").lower()
    channel = next((channel for channel in channels if name in (channel.name.lower(), channel.id.lower())), None)
    if channel is None and name:
        raise AnswerError(
            f"Slack shows the bot no channel {name}. If it is private, {INVITE} first, then answer again."
        )
    if channel is None:
        raise AnswerError("Type the name of a channel.")
    if not channel.has_bot:
        raise AnswerError(f"The bot is not in #{channel.name}: {INVITE}, then answer again.")
    return channel


def find_accounts(text: str, accounts: Iterable[Account]) -> dict[str, str]:
    """Return the IDs by name of the people and user groups in a list with commas. Raise AnswerError."""
    names, candidates = [name.strip() for name in text.split(",") if name.strip()], tuple(accounts)
    if not names:
        raise AnswerError("Type at least one name.")
    return {account.name: account.id for account in (_find_account(name, candidates) for name in names)}


def _find_account(text: str, accounts: tuple[Account, ...]) -> Account:
    name = text.removeprefix("@").casefold()
    matches = [account for account in accounts if name in {each.casefold() for each in (account.id, *account.names)}]
    if not matches:
        raise AnswerError(
            f"Slack has no member or user group {text} that can use Imker. Type the name as Slack shows it."
        )
    if len(matches) > 1:
        choices = ", ".join(f"{account.id} ({', '.join(account.names)})" for account in matches)
        raise AnswerError(f"{text} is the name of several: {choices}. Type the ID instead.")
    return matches[0]


def find_managers(text: str, hosts: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts in a list with commas or spaces, without duplicates. Raise AnswerError."""
    choices = tuple(hosts)
    names = tuple(dict.fromkeys(re.split(r"[,\s]+", text.strip().lower())))
    unknown = [name for name in names if name not in choices]
    if unknown:
        raise AnswerError(f"There is no host {', '.join(filter(None, unknown))}. The hosts are {', '.join(choices)}.")
    return names


def suggest_managers(hosts: Iterable[str], classic_masters: Iterable[str]) -> tuple[str, ...]:
    """Return three hosts, or one if there are fewer than three: the masters of the classic Swarm first."""
    masters, names = set(classic_masters), sorted(hosts)
    ordered = sorted(names, key=lambda name: (name not in masters, name))
    return tuple(ordered[: 3 if len(ordered) >= 3 else 1])
