"""Parsed commands and usage errors. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.commands.table import CommandSpec
from bot.records import Choice
from imker.protocol.commands import Command


@dataclass(frozen=True)
class ShowStatus:
    run: str | None = None


@dataclass(frozen=True)
class ShowHelp:
    pass


@dataclass(frozen=True)
class ShowAudit:
    """`about`: a host, a user's ID or a run's; None for all."""

    subject: str | None = None


@dataclass(frozen=True)
class DecideRun:
    """`target`: a run's ID, or, to accept or reject, a node's or the beginning of one."""

    target: str
    choice: Choice


@dataclass(frozen=True)
class UsageError:
    """What is wrong, and what to type instead; `verb`: of an example; `unknown`: what is no host's name."""

    text: str
    usage: str
    verb: CommandSpec | None = None
    unknown: str = ""


@dataclass(frozen=True)
class ControlRun:
    """Of a run that goes on, or is over. `run`: None for the only one there is."""

    run: str | None
    action: Literal["pause", "resume", "cancel", "retry"]


ParsedCommand = Command | ShowStatus | ShowHelp | ShowAudit | DecideRun | ControlRun
