"""The table of attempts covers every command by the patterns of rules: hosts and services."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from bot.commands.model import CommandSpec
from bot.commands.table import BY_NAME
from tests.support.bot_harness import IDS

TABLE = tomllib.loads((Path(__file__).parents[3] / "data/attempts.toml").read_text())
ATTEMPTS: list[dict[str, Any]] = TABLE["attempts"]


def patterned(kind: str) -> set[str]:
    """Return the users whose only rules have patterns of this kind: "hosts" or "services"."""
    users = {user: rule for rule in tomllib.loads(TABLE["config"])["rights"]["rule"] for user in rule["who"]}
    return {name for name, user in IDS.items() if kind in users.get(user, {})}


def typed_by(users: set[str], command: str, key: str) -> list[str]:
    """Return what these users type for a command, in attempts that are allowed ("does") or refused ("says")."""
    longer = [name for name in BY_NAME if name.startswith(f"{command} ")]
    texts = [each["types"] for each in ATTEMPTS if each["who"] in users and key in each and "types" in each]
    matching = [text for text in texts if f"{text} ".startswith(f"{command} ")]
    return [text for text in matching if not any(f"{text} ".startswith(f"{name} ") for name in longer)]


@pytest.mark.parametrize("spec", BY_NAME.values(), ids=lambda spec: spec.name)
def test_patterns_of_rules_allow_and_refuse_every_command(spec: CommandSpec) -> None:
    """Each command on a host or a service is allowed within a pattern, and refused outside. No pattern covers all."""
    kind, is_listed = "services" if spec.scope == "services" else "hosts", spec.name == "services"
    allowed, refused = (typed_by(patterned(kind), spec.name, key) for key in ("does", "says"))
    if spec.scope in ("named host", "services"):
        assert allowed
        assert refused or is_listed, "a list has only what a pattern covers"
    elif spec.scope == "every host":
        assert (allowed, bool(refused)) == ([], True)
