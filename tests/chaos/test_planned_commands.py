"""What the simulated users type: every command is valid, and all new verbs are among them."""

import random

import pytest

from bot.commands.model import UsageError
from bot.commands.parser import parse
from bot.commands.table import COMMANDS
from lab.chaos.planned_commands import (
    OTHER_COMMANDS,
    OUTSIDERS_COMMANDS,
    OUTSIDERS_REPLICAS,
    OUTSIDERS_SERVICE,
    REPLICAS,
    choose_node_commands,
    choose_other_commands,
)
from lab.fleet.hosts import BY_NAME, LabHost

NOT_TYPED = {  # by Alice at random: migrations, reads, and decisions have their own place in the story
    "hosts", "nodes", "plan", "migrate", "migrate all", "accept", "reject", "continue", "pause", "resume", "cancel",
    "retry", "start", "retire", "status", "audit", "doctor", "help",
}  # fmt: skip


def node_commands(host: LabHost) -> set[str]:
    return {each.text for seed in range(50) for each in choose_node_commands(host, random.Random(seed))}


def test_every_command_is_valid_and_every_verb_is_typed() -> None:
    commands = {*OTHER_COMMANDS, *node_commands(BY_NAME["tondi"]), *node_commands(BY_NAME["lausen"])}
    for text in (*commands, *(each.format(host="tondi") for each in OUTSIDERS_COMMANDS)):
        assert not isinstance(parse(text), UsageError), text
    names = {spec.name for spec in COMMANDS} - NOT_TYPED
    assert {name for name in names if not any(f"{text} ".startswith(f"{name} ") for text in commands)} == set()


@pytest.mark.parametrize("name", ["tondi", "lausen"])
def test_a_node_is_as_before_after_its_commands(name: str) -> None:
    """A manager that was demoted is promoted again, a worker that was promoted is demoted, each until it is done."""
    for seed in range(50):
        first, *rest = [
            (each.text.split()[0], each.tries) for each in choose_node_commands(BY_NAME[name], random.Random(seed))
        ]
        expected = {"drain": [("activate", 0)], "demote": [("promote", 0)], "promote": [("demote", 0)]}
        assert rest == expected.get(first[0], [])


def test_other_commands_create_the_service_first() -> None:
    for seed in range(10):
        assert choose_other_commands(8, random.Random(seed))[0].startswith("create ")
        assert len(choose_other_commands(8, random.Random(seed))) == 8
    assert choose_other_commands(0, random.Random(1)) == []


def test_only_the_outsider_names_her_service_and_her_number() -> None:
    assert OUTSIDERS_REPLICAS not in REPLICAS
    assert not any(OUTSIDERS_SERVICE in text for text in OTHER_COMMANDS)
