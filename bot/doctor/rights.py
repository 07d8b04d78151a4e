"""Check that the configured rights can work: every name is known, and each right has a holder. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Literal

from bot.auth.rights import Rights
from bot.commands.model import Right
from imker.config import AcceptanceRules
from imker.protocol.values import Finding

Known = Literal["ok", "not_found", "deactivated", "refused", "empty", "unknown"]
REMOVE_HINT = "Remove the ID from imker.toml."
PROBLEM_TEXT: dict[Known, tuple[Literal["warn", "block"], str, str]] = {  # level, text after the ID, hint
    "not_found": ("block", "does not exist in this workspace", "Copy the ID from the profile, or remove it."),
    "deactivated": ("warn", "is deactivated and cannot use Imker", REMOVE_HINT),
    "refused": ("warn", "is a guest, a bot, or from another workspace, and cannot use Imker", REMOVE_HINT),
    "empty": ("warn", "is a group without members", "Add members to the group, or remove the ID from imker.toml."),
    "unknown": ("warn", "could not be looked up in Slack", "Check the bot's scopes, and run doctor again."),
}

SHARED_SETTINGS = tuple(AcceptanceRules.model_fields)  # in the imker.toml of the bot and of the RQ workers
RIGHTS: dict[Right, Literal["warn", "block"]] = {"read": "warn", "change": "block", "accept": "block"}


def named_users(rights: Rights) -> tuple[str, ...]:
    """Return every user ID and user group ID in the configuration, without duplicates."""
    from_rules = (name for rule in rights.rules for name in rule.who)
    return tuple(dict.fromkeys(name for name in from_rules if name != "*"))


def check(rights: Rights, statuses: Mapping[str, Known]) -> tuple[Finding, ...]:
    """Return the problems with the rights, or one passed check. `statuses`: the status of each ID in Slack."""
    problems = {name: status for name in named_users(rights) if (status := statuses.get(name, "ok")) != "ok"}
    findings = [*(_describe(name, status) for name, status in problems.items()), *_missing_rights(rights)]
    return tuple(findings) or (Finding("rights", "pass", "every right has a holder, and managers can be accepted"),)


def compare_acceptance_rules(rights: Rights, published: str | None) -> tuple[Finding, ...]:
    """Return a warning if the RQ workers have other acceptance rules. `published`: theirs as JSON, None if unknown."""
    ours = {name: getattr(rights, name) for name in SHARED_SETTINGS}
    try:
        theirs = json.loads(published or "{}")
        different = [name for name in SHARED_SETTINGS if name in theirs and theirs[name] != ours[name]]
    except (ValueError, TypeError):
        return ()
    text = "; ".join(
        f"{name} is {json.dumps(ours[name])} for the bot and {json.dumps(theirs[name])} for the RQ workers"
        for name in different
    )
    hint = "Use the same values in imker.toml on both machines, and restart both."
    return (Finding("rights", "warn", f"acceptance rules differ: {text}", hint),) if different else ()


def _describe(name: str, status: Known) -> Finding:
    level, text, hint = PROBLEM_TEXT[status]
    return Finding("rights", level, f"{name} {text}", hint)


def _missing_rights(rights: Rights) -> Iterator[Finding]:
    for right, level in RIGHTS.items():
        if not rights.holders(right):
            hint = f"Add users to [rights] {right}, or to a [[rights.rule]]."
            yield Finding("rights", level, f"no user has the right {right}", hint)
