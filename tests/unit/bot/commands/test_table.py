"""The command table has a row for every command, and permissions derive from it."""

from dataclasses import fields
from typing import Any, get_args

import pytest

from bot.auth.permissions import permission_for
from bot.commands.model import ControlRun, ControlWatch, DecideRun, ShowAudit, ShowHelp, ShowStatus, ShowWatch
from bot.commands.table import COMMANDS, spec_of
from bot.records import ALL_HOSTS, NO_HOST
from imker.protocol.commands import Command
from imker.protocol.service_commands import ScaleTarget

COMMAND_TYPES = get_args(get_args(Command)[0])
WATCH = (ShowWatch(), *(ControlWatch(action) for action in ("on", "off", "mute")))
OTHERS = (
    ShowHelp(),
    ShowStatus(),
    ShowAudit(),
    *(DecideRun("k3fm9x2q", choice) for choice in ("accept", "reject", "remove", "continue")),
    *(ControlRun("k3fm9x2q", action) for action in ("pause", "resume", "cancel", "retry")),
)


def create_command(command_type: type[Command]) -> Command:
    values: dict[str, Any] = {"host": "kaditz", "node": "j8xsy2", "names": ("web",), "name": "web", "image": "nginx"}
    values["targets"] = (ScaleTarget("web", 5), ScaleTarget("api", 2))
    return command_type(**{each.name: values[each.name] for each in fields(command_type) if each.name in values})


@pytest.mark.parametrize("command_type", COMMAND_TYPES)
def test_a_command_requires_the_right_on_its_host_or_on_every_host(command_type: type[Command]) -> None:
    command = create_command(command_type)
    is_about_other = hasattr(command, "node") or hasattr(command, "services")
    expected = getattr(command, "host", NO_HOST if is_about_other else ALL_HOSTS)
    assert permission_for(command).host == expected
    assert permission_for(command).services == getattr(command, "services", None)


@pytest.mark.parametrize("command", OTHERS, ids=repr)
def test_a_command_about_a_run_requires_no_host_before_the_run_is_known(command: ShowHelp) -> None:
    assert permission_for(command).host == NO_HOST


@pytest.mark.parametrize("command", WATCH, ids=repr)
def test_the_watch_requires_the_right_on_every_host(command: ShowWatch) -> None:
    assert permission_for(command).host == ALL_HOSTS


def test_every_row_belongs_to_a_command() -> None:
    commands = (*map(create_command, COMMAND_TYPES), *OTHERS, *WATCH)
    assert {spec_of(command).name for command in commands} == {spec.name for spec in COMMANDS}
