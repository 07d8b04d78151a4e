"""Whether the configured rights can work: somebody may accept, and everybody named is known. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Literal

from bot.settings import Rights
from bot.verbs import Right
from jobs.contract import Finding

Known = Literal["there", "unknown", "deactivated", "refused", "empty", "untold"]
WRONG: dict[Known, tuple[Literal["warn", "block"], str, str]] = {
    "unknown": ("block", "is nobody in this workspace", "Copy the ID from the profile, or take it out of imker.toml."),
    "deactivated": ("warn", "is deactivated, and may do nothing", "Take it out of imker.toml."),
    "refused": (
        "warn",
        "is a guest, a bot or a stranger, and may do nothing anyway",
        "Take it out of imker.toml.",
    ),
    "empty": ("warn", "is a group without members", "Put somebody into it, or take it out of imker.toml."),
    "untold": ("warn", "Slack did not tell who this is", "See that the scopes are all there, and ask again."),
}

BOTH = ("accept_own", "accept_count", "accept_within")  # which both sides' files hold
RIGHTS: dict[Right, Literal["warn", "block"]] = {"read": "warn", "change": "block", "accept": "block"}


def named(rights: Rights) -> tuple[str, ...]:
    """Every user and group ID in the configuration, once."""
    listed = (who for rule in rights.rules for who in rule.who)
    return tuple(dict.fromkeys(who for who in listed if who != "*"))


def look(rights: Rights, known: Mapping[str, Known]) -> tuple[Finding, ...]:
    wrong = [_wrong(who, known[who]) for who in named(rights) if known.get(who, "there") != "there"]
    found = [*wrong, *_holes(rights)]
    return tuple(found) or (Finding("rights", "pass", "somebody may ask, and somebody else may accept"),)


def compared(rights: Rights, told: str | None) -> tuple[Finding, ...]:
    """`told`: what an acceptance must be by the jobs' own file, as JSON; they judge each once more."""
    own = {name: getattr(rights, name) for name in BOTH}
    try:
        theirs = json.loads(told or "{}")
        other = [name for name in BOTH if name in theirs and theirs[name] != own[name]]
    except (ValueError, TypeError):
        return ()
    text = ", ".join(f"{name} is {own[name]} here, {theirs[name]} there" for name in other)
    hint = "Write the same into the imker.toml of both machines, and start both anew."
    return (Finding("rights", "warn", f"the RQ workers have others: {text.lower()}", hint),) if other else ()


def _wrong(who: str, known: Known) -> Finding:
    level, text, hint = WRONG[known]
    return Finding("rights", level, f"{who} {text}", hint)


def _holes(rights: Rights) -> Iterator[Finding]:
    for right, level in RIGHTS.items():
        if not rights.holders(right):
            hint = f"Name somebody in [rights] {right}, or in a [[rights.rule]]."
            yield Finding("rights", level, f"nobody may {right}", hint)
