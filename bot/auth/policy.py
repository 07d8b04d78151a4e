"""Who may do what, where, on which host: deny by default. Pure; what Slack says of a person comes in as values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from bot.auth.permissions import Permission, permission_to_decide
from bot.commands.model import Right
from bot.commands.table import COMMANDS
from bot.records import ALL_HOSTS, NO_HOST, Choice, RunRecord
from bot.settings import Rights, Rule
from imker.protocol.events import DecisionRequested

Kind = Literal["member", "guest", "bot", "deactivated", "stranger", "untold"]
REFUSAL_TEXT: dict[Kind, str] = {
    "guest": "guests of this workspace may not use it",
    "bot": "bots and workflows may not use it",
    "deactivated": "deactivated accounts may not use it",
    "stranger": "people of other workspaces may not use it",
    "untold": "Slack does not tell who you are just now; try again in a minute",
}
RIGHT_OF_COMMAND: dict[str, Right] = {spec.name: spec.right for spec in COMMANDS}
FLEET_COMMANDS = tuple(spec.name for spec in COMMANDS if spec.scope == "every host")


@dataclass(frozen=True)
class Actor:
    """`user`: Slack user ID; `groups`: user group IDs they are in, None when Slack would not tell."""

    user: str
    kind: Kind
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True)
class Allowed:
    """`within`: patterns of the hosts that the right is for."""

    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Denied:
    """`who`: the user and group IDs that have the right that was missing."""

    reason: str
    holders: tuple[str, ...] = ()


def authorize(
    rights: Rights, channels: tuple[str, ...], actor: Actor, permission: Permission, channel: str
) -> Allowed | Denied:
    """Whether this person may do this here. `help` takes nothing but being a member, here."""
    if actor.kind != "member":
        return Denied(REFUSAL_TEXT[actor.kind])
    if channel not in channels:
        channel_text = " or ".join(f"<#{name}>" for name in channels) or "no channel; [slack] channels is empty"
        return Denied(f"commands are taken in {channel_text}")
    return _check(rights, actor, permission, channel) if RIGHT_OF_COMMAND[permission.command] else Allowed((ALL_HOSTS,))


def authorize_decision(
    rights: Rights,
    channels: tuple[str, ...],
    actor: Actor,
    record: RunRecord,
    waiting: DecisionRequested,
    choice: Choice,
) -> Allowed | Denied:
    """Accepting takes other people than the asker, unless the configuration says otherwise; who asked may call off."""
    is_requester = record.requester == actor.user
    here = authorize(rights, channels, actor, Permission("help"), record.channel)
    if isinstance(here, Denied) or (is_requester and choice in ("cancel", "again")):
        return here
    need = permission_to_decide(record, waiting, choice)
    answer = _check(rights, actor, need, record.channel)
    if isinstance(answer, Allowed) and choice == "accept" and is_requester and not rights.accept_own:
        others = tuple(holder for holder in _holders(rights, need, record.channel) if holder != actor.user)
        return Denied("who asked for it may not accept it", others)
    return answer


def outsider_kind(rights: Rights, actor: Actor) -> str:
    """Return what kind of person without any right, anywhere, this is; "" for people with one."""
    if actor.kind not in ("member", "untold"):
        return actor.kind
    by_name = any(actor.user in rule.who for rule in rights.rules)
    known = actor.kind == "member" and any(_applies_to(rule, actor) for rule in rights.rules)
    told = actor.kind == "member" and actor.groups is not None
    return "" if by_name or known else "unnamed" if told else "untold"


def allowed_commands(
    rights: Rights, channels: tuple[str, ...], actor: Actor, channel: str
) -> Mapping[str, tuple[str, ...]]:
    """The verbs that a person may use here, each with the patterns of the hosts it is for: what help shows."""
    needs = [Permission(name, ALL_HOSTS if name in FLEET_COMMANDS else NO_HOST) for name in RIGHT_OF_COMMAND]
    answers = {need.command: authorize(rights, channels, actor, need, channel) for need in needs}
    return {verb: answer.hosts for verb, answer in answers.items() if isinstance(answer, Allowed)}


def _check(rights: Rights, actor: Actor, permission: Permission, channel: str) -> Allowed | Denied:
    opening = [rule for rule in _rules(rights, permission, channel) if _applies_to(rule, actor)]
    if opening:
        return Allowed(tuple(dict.fromkeys(pattern for rule in opening for pattern in rule.hosts)))
    holders = _holders(rights, permission, channel)
    if actor.groups is None and any(holder.startswith("S") for holder in holders):
        return Denied(
            f"Slack does not tell now who is in the groups with the right to {permission.command}; try again", holders
        )
    host_text = {ALL_HOSTS: "" if permission.command in FLEET_COMMANDS else " every host", NO_HOST: ""}.get(
        permission.host, f" {permission.host}"
    )
    return Denied(
        f"it takes the right `{RIGHT_OF_COMMAND[permission.command]}` to {permission.command}{host_text}", holders
    )


def _applies_to(rule: Rule, actor: Actor) -> bool:
    return "*" in rule.who or actor.user in rule.who or bool((actor.groups or frozenset()) & set(rule.who))


def _holders(rights: Rights, permission: Permission, channel: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(holder for rule in _rules(rights, permission, channel) for holder in rule.who))


def _rules(rights: Rights, permission: Permission, channel: str) -> Iterator[Rule]:
    """Those that open it here. A verb is opened by its own name, or by that of its right."""
    names = {*permission.command.split(), RIGHT_OF_COMMAND[permission.command]}
    for rule in rights.rules:
        here = not rule.channels or channel in rule.channels
        if here and names & set(rule.verbs) and _covers_host(rule, permission.host):
            yield rule


def _covers_host(rule: Rule, host: str) -> bool:
    if host in (NO_HOST, ALL_HOSTS):
        return host == NO_HOST or ALL_HOSTS in rule.hosts
    return any(fnmatchcase(host, pattern) for pattern in rule.hosts)
