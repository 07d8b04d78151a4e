"""Whether the configured rights can work: somebody may accept, and everybody named is known. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Literal

from bot.commands.model import Right
from bot.settings import Rights
from imker.config import AcceptanceRules
from imker.protocol.values import Finding

Known = Literal["there", "unknown", "deactivated", "refused", "empty", "untold"]
PROBLEM_TEXT: dict[Known, tuple[Literal["warn", "block"], str, str]] = {
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

SHARED_SETTINGS = tuple(AcceptanceRules.model_fields)  # read by bot and RQ workers
RIGHTS: dict[Right, Literal["warn", "block"]] = {"read": "warn", "change": "block", "accept": "block"}


def named_users(rights: Rights) -> tuple[str, ...]:
    """Every user and group ID in the configuration, once."""
    from_rules = (name for rule in rights.rules for name in rule.who)
    return tuple(dict.fromkeys(name for name in from_rules if name != "*"))


def check(rights: Rights, statuses: Mapping[str, Known]) -> tuple[Finding, ...]:
    unknown_users = [
        _unknown_users(name, statuses[name]) for name in named_users(rights) if statuses.get(name, "there") != "there"
    ]
    findings = [*unknown_users, *_missing_rights(rights)]
    return tuple(findings) or (Finding("rights", "pass", "somebody may ask, and somebody else may accept"),)


def compare_acceptance_rules(rights: Rights, published: str | None) -> tuple[Finding, ...]:
    """`told`: what an acceptance must be by the jobs' own file, as JSON; they judge each once more."""
    settings = {name: getattr(rights, name) for name in SHARED_SETTINGS}
    try:
        theirs = json.loads(published or "{}")
        other = [name for name in SHARED_SETTINGS if name in theirs and theirs[name] != settings[name]]
    except (ValueError, TypeError):
        return ()
    text = ", ".join(f"{name} is {settings[name]} here, {theirs[name]} there" for name in other)
    hint = "Write the same into the imker.toml of both machines, and start both anew."
    return (Finding("rights", "warn", f"the RQ workers have others: {text.lower()}", hint),) if other else ()


def _unknown_users(name: str, status: Known) -> Finding:
    level, text, hint = PROBLEM_TEXT[status]
    return Finding("rights", level, f"{name} {text}", hint)


def _missing_rights(rights: Rights) -> Iterator[Finding]:
    for right, level in RIGHTS.items():
        if not rights.holders(right):
            hint = f"Name somebody in [rights] {right}, or in a [[rights.rule]]."
            yield Finding("rights", level, f"nobody may {right}", hint)
