"""Who may do what, where, on which host: deny by default. Pure; what Slack says of a person comes in as values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from bot.need import ANY, EVERY, Need, of_answer
from bot.record import RunRecord, Verdict
from bot.settings import Rights, Rule
from bot.verbs import VERBS, Right
from jobs.contract import Waiting

Kind = Literal["member", "guest", "bot", "deactivated", "stranger", "untold"]
REFUSED: dict[Kind, str] = {
    "guest": "guests of this workspace may not use it",
    "bot": "bots and workflows may not use it",
    "deactivated": "deactivated accounts may not use it",
    "stranger": "people of other workspaces may not use it",
    "untold": "Slack does not tell who you are just now; try again in a minute",
}
RIGHT_OF: dict[str, Right] = {verb.name: verb.right for verb in VERBS}
FLEET_WIDE = ("hosts", "nodes", "migrate all", "doctor")  # what shows or changes every host


@dataclass(frozen=True)
class Actor:
    """`user`: Slack user ID; `groups`: user group IDs they are in, None when Slack would not tell."""

    user: str
    kind: Kind
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True)
class Allowed:
    """`within`: patterns of the hosts that the right is for."""

    within: tuple[str, ...] = ()


@dataclass(frozen=True)
class Denied:
    """`who`: the user and group IDs that have the right that was missing."""

    reason: str
    who: tuple[str, ...] = ()


def authorize(rights: Rights, channels: tuple[str, ...], actor: Actor, need: Need, channel: str) -> Allowed | Denied:
    """Whether this person may do this here. `help` takes nothing but being a member, here."""
    if actor.kind != "member":
        return Denied(REFUSED[actor.kind])
    if channel not in channels:
        where = " or ".join(f"<#{name}>" for name in channels) or "no channel; [slack] channels is empty"
        return Denied(f"commands are taken in {where}")
    return _has(rights, actor, need, channel) if RIGHT_OF[need.verb] else Allowed((EVERY,))


def authorize_answer(
    rights: Rights, channels: tuple[str, ...], actor: Actor, record: RunRecord, waiting: Waiting, verdict: Verdict
) -> Allowed | Denied:
    """Accepting takes other people than the asker, unless the configuration says otherwise; who asked may call off."""
    own = record.asker == actor.user
    here = authorize(rights, channels, actor, Need("help"), record.channel)
    if isinstance(here, Denied) or (own and verdict in ("cancel", "again")):
        return here
    need = of_answer(record, waiting, verdict)
    answer = _has(rights, actor, need, record.channel)
    if isinstance(answer, Allowed) and verdict == "accept" and own and not rights.accept_own:
        others = tuple(who for who in _who(rights, need, record.channel) if who != actor.user)
        return Denied("who asked for it may not accept it", others)
    return answer


def outsider(rights: Rights, actor: Actor) -> str:
    """Return what kind of person without any right, anywhere, this is; "" for people with one."""
    if actor.kind not in ("member", "untold"):
        return actor.kind
    by_name = any(actor.user in rule.who for rule in rights.rules)
    known = actor.kind == "member" and any(_names(rule, actor) for rule in rights.rules)
    told = actor.kind == "member" and actor.groups is not None
    return "" if by_name or known else "unnamed" if told else "untold"


def may(rights: Rights, channels: tuple[str, ...], actor: Actor, channel: str) -> Mapping[str, tuple[str, ...]]:
    """The verbs that a person may use here, each with the patterns of the hosts it is for: what help shows."""
    needs = [Need(name, EVERY if name in FLEET_WIDE else ANY) for name in RIGHT_OF]
    answers = {need.verb: authorize(rights, channels, actor, need, channel) for need in needs}
    return {verb: answer.within for verb, answer in answers.items() if isinstance(answer, Allowed)}


def _has(rights: Rights, actor: Actor, need: Need, channel: str) -> Allowed | Denied:
    opening = [rule for rule in _rules(rights, need, channel) if _names(rule, actor)]
    if opening:
        return Allowed(tuple(dict.fromkeys(pattern for rule in opening for pattern in rule.hosts)))
    listed = _who(rights, need, channel)
    if actor.groups is None and any(who.startswith("S") for who in listed):
        return Denied(f"Slack does not tell now who is in the groups with the right to {need.verb}; try again", listed)
    what = {EVERY: "" if need.verb in FLEET_WIDE else " every host", ANY: ""}.get(need.host, f" {need.host}")
    return Denied(f"it takes the right `{RIGHT_OF[need.verb]}` to {need.verb}{what}", listed)


def _names(rule: Rule, actor: Actor) -> bool:
    return "*" in rule.who or actor.user in rule.who or bool((actor.groups or frozenset()) & set(rule.who))


def _who(rights: Rights, need: Need, channel: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(who for rule in _rules(rights, need, channel) for who in rule.who))


def _rules(rights: Rights, need: Need, channel: str) -> Iterator[Rule]:
    """Those that open it here. A verb is opened by its own name, or by that of its right."""
    named = {*need.verb.split(), RIGHT_OF[need.verb]}
    for rule in rights.rules:
        here = not rule.channels or channel in rule.channels
        if here and named & set(rule.verbs) and _on(rule, need.host):
            yield rule


def _on(rule: Rule, host: str) -> bool:
    if host in (ANY, EVERY):
        return host == ANY or EVERY in rule.hosts
    return any(fnmatchcase(host, pattern) for pattern in rule.hosts)
