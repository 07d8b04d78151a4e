"""Test that suggested commands are sentences with code that one can copy, and that no value leaves its code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.next_command import next_step_text
from imker.protocol.commands import Accept, ListNodes, Migrate, MigrateAll, PlanHost, StartContainers
from imker.protocol.next_command import BotCommand, NextCommand

CASES = [
    (NextCommand(ListNodes()), "See `/swarm nodes`."),
    (NextCommand(PlanHost("kaditz")), "See `/swarm plan kaditz`."),
    (NextCommand(BotCommand("help")), "See `/swarm help`."),
    (NextCommand(BotCommand("status", "k3fm9x2q")), "See `/swarm status k3fm9x2q`."),
    (NextCommand(Accept("j8xsy2yb802b")), "Run `/swarm accept j8xsy2yb802b`."),
    (
        NextCommand(BotCommand("retry", "k3fm9x2q")),
        "Run `/swarm retry k3fm9x2q`: it re-plans from the current state and runs only the remaining steps.",
    ),
    (
        NextCommand(Migrate("kaditz", "manager", docker_group=True), "continue"),
        "To continue, type `/swarm migrate kaditz --manager --docker-group`.",
    ),
    (NextCommand(MigrateAll(("tondi", "lausen")), "x"), "To x, type `/swarm migrate all --without tondi,lausen`."),
]


@pytest.mark.parametrize(("suggested", "expected"), CASES)
def test_renders_a_sentence(suggested: NextCommand, expected: str) -> None:
    assert next_step_text("", (suggested,)) == expected
    assert next_step_text("Wait.", (suggested, suggested)) == f"Wait. {expected} {expected}"


def test_renders_a_hint_alone_and_nothing() -> None:
    assert (next_step_text("Wait.", ()), next_step_text("", ())) == ("Wait.", "")


@given(st.text(max_size=40))
def test_a_name_cannot_leave_its_code_nor_mention_people(name: str) -> None:
    text = next_step_text("", (NextCommand(StartContainers("kaditz", (f"<@U02BOB>`*{name}",)), "start it"),))
    assert text.count("`") == 2
    assert "<" not in text
