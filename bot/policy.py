"""Who may do what: deny by default. Pure; what Slack says of a person comes in as values."""

from dataclasses import dataclass
from typing import Literal

from bot.grammar import Right
from bot.record import RunRecord, Verdict
from bot.settings import Rights

Kind = Literal["member", "guest", "bot", "deactivated", "stranger"]
REFUSED: dict[Kind, str] = {
    "guest": "guests of this workspace may not use it",
    "bot": "bots and workflows may not use it",
    "deactivated": "deactivated accounts may not use it",
    "stranger": "people of other workspaces may not use it",
}


@dataclass(frozen=True)
class Actor:
    """`user`: Slack user ID; `groups`: user group IDs they are in, None when Slack would not tell."""

    user: str
    kind: Kind
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True)
class Allowed:
    pass


@dataclass(frozen=True)
class Denied:
    """`who`: the user and group IDs that have the right that was missing."""

    reason: str
    who: tuple[str, ...] = ()


def authorize(rights: Rights, channels: tuple[str, ...], actor: Actor, right: Right, channel: str) -> Allowed | Denied:
    """Whether this person may do here what takes this right ("" takes none but being a member, here)."""
    if actor.kind != "member":
        return Denied(REFUSED[actor.kind])
    if channel not in channels:
        where = " or ".join(f"<#{name}>" for name in channels) or "no channel; [slack] channels is empty"
        return Denied(f"commands are taken in {where}")
    return _has(rights, actor, right)


def authorize_decision(rights: Rights, actor: Actor, record: RunRecord | None, verdict: Verdict) -> Allowed | Denied:
    """Accepting takes another person than the asker, unless the configuration says otherwise."""
    if verdict == "cancel" and record and record.asker == actor.user:
        return Allowed()
    right: Right = "accept" if verdict in ("accept", "reject", "remove") else "change"
    answer = _has(rights, actor, right)
    own = record is not None and record.asker == actor.user
    if isinstance(answer, Allowed) and verdict == "accept" and own and not rights.accept_own:
        others = tuple(who for who in rights.accept if who != actor.user)
        return Denied("who asked for it may not accept it", others)
    return answer


def may(rights: Rights, actor: Actor) -> frozenset[Right]:
    """All rights of a person: what help shows."""
    names: tuple[Right, ...] = ("read", "change", "accept", "")
    return frozenset(right for right in names if isinstance(_has(rights, actor, right), Allowed))


def _has(rights: Rights, actor: Actor, right: Right) -> Allowed | Denied:
    if actor.kind != "member":
        return Denied(REFUSED[actor.kind])
    if not right:
        return Allowed()
    listed: tuple[str, ...] = getattr(rights, right)
    if "*" in listed or actor.user in listed or (actor.groups or frozenset()) & set(listed):
        return Allowed()
    if actor.groups is None and any(who.startswith("S") for who in listed):
        return Denied(f"Slack does not tell now who is in the groups with the right `{right}`; try again", listed)
    return Denied(f"it takes the right `{right}`", listed)
