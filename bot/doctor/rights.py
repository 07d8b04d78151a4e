"""Whether the configured rights can work: somebody may accept, and everybody named is known. Pure."""

from collections.abc import Iterator, Mapping
from typing import Literal

from bot.settings import Rights
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


def named(rights: Rights) -> tuple[str, ...]:
    """Every user and group ID in the configuration, once."""
    listed = (*rights.read, *rights.change, *rights.accept)
    return tuple(dict.fromkeys(who for who in listed if who != "*"))


def look(rights: Rights, known: Mapping[str, Known]) -> tuple[Finding, ...]:
    wrong = [_wrong(who, known[who]) for who in named(rights) if known.get(who, "there") != "there"]
    found = [*wrong, *_holes(rights)]
    return tuple(found) or (Finding("rights", "pass", "somebody may ask, and somebody else may accept"),)


def _wrong(who: str, known: Known) -> Finding:
    level, text, hint = WRONG[known]
    return Finding("rights", level, f"{who} {text}", hint)


def _holes(rights: Rights) -> Iterator[Finding]:
    for right in ("read", "change", "accept"):
        if not getattr(rights, right):
            level: Literal["warn", "block"] = "warn" if right == "read" else "block"
            yield Finding("rights", level, f"nobody may {right}", f"Name somebody in [rights] {right}.")
    one = set(rights.accept)
    if len(one) == 1 and one == set(rights.change) and not rights.accept_own and "*" not in one and _user(one):
        text = f"{one.pop()} alone may ask and accept, and nobody accepts what they asked for themselves"
        yield Finding("rights", "warn", text, "Name a second person in [rights] accept.")


def _user(one: set[str]) -> bool:
    return not any(who.startswith("S") for who in one)
