"""Authorize a user for a command on a host in a channel. Denies unless a rule allows. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import chain
from typing import Literal

from bot.auth.permissions import Permission, permission_to_decide
from bot.auth.rights import Rights, Rule
from bot.commands.model import Right
from bot.commands.table import COMMANDS
from bot.records import ALL_HOSTS, ALL_SERVICES, NO_HOST, Choice, RunRecord
from imker.protocol.events import DecisionRequested

Kind = Literal["member", "guest", "bot", "deactivated", "external", "unknown"]  # unknown: Slack didn't return a profile
REFUSAL_TEXT: dict[Kind, str] = {
    "guest": "guests can't use Imker",
    "bot": "bots and workflows can't use Imker",
    "deactivated": "deactivated accounts can't use Imker",
    "external": "users of other workspaces can't use Imker",
    "unknown": "Slack didn't return your profile. Try again in a minute",
}
RIGHT_OF_COMMAND: dict[str, Right] = {spec.name: spec.right for spec in COMMANDS}
VERBS_OF_HOSTS = (  # commands that read well before a host's name
    "plan", "migrate", "accept", "reject", "drain", "activate", "promote", "demote", "remove", "upgrade",
)  # fmt: skip
SERVICE_COMMANDS = tuple(spec.name for spec in COMMANDS if spec.scope == "services")
FLEET_COMMANDS = tuple(spec.name for spec in COMMANDS if spec.scope == "every host")


@dataclass(frozen=True)
class Actor:
    """A user as Slack describes them. `groups`: IDs of their user groups, None if Slack didn't return them."""

    user: str
    kind: Kind
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True)
class Allowed:
    """The permission is granted. `hosts`, `services`: patterns of the hosts and services that it covers."""

    hosts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Denied:
    """The permission is missing.

    `reason`: for the user, without a full stop. `holders`: IDs of the users and groups that have the permission.
    `requirement`: for other readers, "" if the reason suits them too.
    """

    reason: str
    holders: tuple[str, ...] = ()
    requirement: str = ""


def authorize(
    rights: Rights, channels: tuple[str, ...], actor: Actor, permission: Permission, channel: str
) -> Allowed | Denied:
    """Return whether the user has the permission in the channel. Every member may use `help`."""
    if actor.kind != "member":
        return Denied(REFUSAL_TEXT[actor.kind])
    if channel not in channels:
        return Denied(_wrong_channel(channels))
    return _check(rights, actor, permission, channel) if RIGHT_OF_COMMAND[permission.command] else Allowed((ALL_HOSTS,))


def _wrong_channel(channels: tuple[str, ...]) -> str:
    if not channels:
        return "Imker doesn't accept commands in any channel: [slack] channels in imker.toml is empty"
    return f"Imker doesn't accept commands in this channel. Use {' or '.join(f'<#{channel}>' for channel in channels)}"


def authorize_decision(
    rights: Rights,
    channels: tuple[str, ...],
    actor: Actor,
    record: RunRecord,
    question: DecisionRequested,
    choice: Choice,
) -> Allowed | Denied:
    """Return whether the user may answer the run's question with this choice.

    The requester may always cancel or renew, and may accept only if the configuration says so.
    """
    is_requester = record.requester == actor.user
    here = authorize(rights, channels, actor, Permission("help"), record.channel)
    if isinstance(here, Denied) or (is_requester and choice in ("cancel", "again")):
        return here
    permission = permission_to_decide(record, question, choice)
    checked = _check(rights, actor, permission, record.channel)
    if isinstance(checked, Allowed) and choice == "accept" and is_requester and not rights.accept_own:
        others = tuple(holder for holder in holders_of(rights, permission, record.channel) if holder != actor.user)
        return Denied(
            "you requested this, so someone else must accept it", others, "requesters can't accept their own request"
        )
    return checked


def outsider_kind(rights: Rights, actor: Actor) -> str:
    """Return the kind of a user who has no right in any channel, "" for a user with a right.

    "unnamed" is a member whom no rule names, "unknown" one whose groups or profile Slack didn't return.
    """
    if actor.kind not in ("member", "unknown"):
        return actor.kind
    is_named = any(actor.user in rule.who for rule in rights.rules)
    has_right = actor.kind == "member" and any(_applies_to(rule, actor) for rule in rights.rules)
    is_known = actor.kind == "member" and actor.groups is not None
    return "" if is_named or has_right else "unnamed" if is_known else "unknown"


def allowed_commands(
    rights: Rights, channels: tuple[str, ...], actor: Actor, channel: str
) -> Mapping[str, tuple[str, ...]]:
    """Return the commands that the user may use in the channel, each with patterns of the hosts or services."""
    permissions = [_broadest_permission(name) for name in RIGHT_OF_COMMAND]
    checked = {each.command: authorize(rights, channels, actor, each, channel) for each in permissions}
    return {
        command: result.services if command in SERVICE_COMMANDS else result.hosts
        for command, result in checked.items()
        if isinstance(result, Allowed)
    }


def _broadest_permission(command: str) -> Permission:
    """Return what the command requires at least, whatever host or service it names."""
    if command in SERVICE_COMMANDS:
        return Permission(command, services=())
    return Permission(command, ALL_HOSTS if command in FLEET_COMMANDS else NO_HOST)


def _check(rights: Rights, actor: Actor, permission: Permission, channel: str) -> Allowed | Denied:
    """Return whether the user has the permission, on each of its services."""
    checked = [_check_one(rights, actor, each, channel) for each in _by_service(permission)]
    denied = next((each for each in checked if isinstance(each, Denied)), None)
    return denied or _merge(each for each in checked if isinstance(each, Allowed))


def _by_service(permission: Permission) -> tuple[Permission, ...]:
    """Return a permission for each service, or the permission itself if it names none."""
    return tuple(replace(permission, services=(name,)) for name in permission.services or ()) or (permission,)


def _merge(allowed: Iterable[Allowed]) -> Allowed:
    parts = tuple(allowed)
    hosts, services = (chain(*(part.hosts for part in parts)), chain(*(part.services for part in parts)))
    return Allowed(tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys(services)))


def _check_one(rights: Rights, actor: Actor, permission: Permission, channel: str) -> Allowed | Denied:
    rules = [rule for rule in _rules(rights, permission, channel) if _applies_to(rule, actor)]
    if rules and permission.services is not None:
        right = RIGHT_OF_COMMAND[permission.command]
        return Allowed(services=tuple(dict.fromkeys(chain(*(rule.services_for(right) for rule in rules)))))
    if rules:
        return Allowed(tuple(dict.fromkeys(pattern for rule in rules for pattern in rule.hosts)))
    holders = holders_of(rights, permission, channel)
    if actor.groups is None and any(holder.startswith("S") for holder in holders):
        return Denied(
            f"Slack didn't return the members of the user groups that may {_action(permission)}. Try again in a minute",
            holders,
        )
    return _missing(permission, holders)


def _missing(permission: Permission, holders: tuple[str, ...]) -> Denied:
    right = RIGHT_OF_COMMAND[permission.command]
    return Denied(
        f"you don't have permission to {_action(permission)} (requires `{right}`)",
        holders,
        f'requires the right "{right}" to {_action(permission).replace("`", "")}',
    )


def _action(permission: Permission) -> str:
    """Return what the permission allows, such as "migrate `kaditz`" or "use `/swarm nodes`"."""
    command, host = permission.command, permission.host
    if permission.services:
        return f"use `/swarm {command}` on service `{permission.services[0]}`"
    if host == NO_HOST or command in FLEET_COMMANDS:
        return f"use `/swarm {command}`"
    if host == ALL_HOSTS:
        return f"use `/swarm {command}` on every host"
    return f"{command} `{host}`" if command in VERBS_OF_HOSTS else f"use `/swarm {command}` on `{host}`"


def _applies_to(rule: Rule, actor: Actor) -> bool:
    return "*" in rule.who or actor.user in rule.who or bool((actor.groups or frozenset()) & set(rule.who))


def holders_of(rights: Rights, permission: Permission, channel: str) -> tuple[str, ...]:
    """Return the IDs that have the permission in the channel: of users and of groups, or "*"."""
    lists = [[who for rule in _rules(rights, each, channel) for who in rule.who] for each in _by_service(permission)]
    return tuple(dict.fromkeys(holder for holder in lists[0] if all(holder in each for each in lists)))


def _rules(rights: Rights, permission: Permission, channel: str) -> Iterator[Rule]:
    """Yield the rules that grant the permission in the channel, by the command's own name or by its right."""
    names = _verbs_of(permission.command)
    for rule in rights.rules:
        is_here = not rule.channels or channel in rule.channels
        if is_here and names & set(rule.verbs) and _covers(rule, permission):
            yield rule


def _covers(rule: Rule, permission: Permission) -> bool:
    """Return whether the rule covers the host, or the only service, of the permission."""
    if permission.services is None:
        return _covers_host(rule, permission.host)
    patterns = rule.services_for(RIGHT_OF_COMMAND[permission.command])
    if not permission.services or ALL_SERVICES in permission.services:
        return bool(patterns) if not permission.services else ALL_SERVICES in patterns
    return any(fnmatchcase(permission.services[0], pattern) for pattern in patterns)


def _verbs_of(command: str) -> set[str]:
    """Return the verbs of a rule that grant the command: its right, and its first word if that takes the same right."""
    right = RIGHT_OF_COMMAND[command]
    return {right, command, *(word for word in command.split() if RIGHT_OF_COMMAND.get(word) == right)}


def _covers_host(rule: Rule, host: str) -> bool:
    if host in (NO_HOST, ALL_HOSTS):
        return host == NO_HOST or ALL_HOSTS in rule.hosts
    return any(fnmatchcase(host, pattern) for pattern in rule.hosts)
