"""Values of the command language: command specs, arguments, parsed commands, and usage errors. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from imker.protocol.commands import Command

Right = Literal["read", "change", "accept", ""]
PRIVATE_FLAG = "--private"  # show the answer only to the requester
Scope = Literal["every host", "named host", "any host", "services"]


@dataclass(frozen=True)
class CommandSpec:
    """A row of the command table.

    `example`: arguments included, with {host} for a host of the fleet. `right`: required right, "" for none.
    `scope`: the hosts that the right must cover. "any host" is for commands that name a run, a node, or nothing: the
    host is authorized as soon as it is known. "services" is for commands on services, which need no host.
    `build`: reads the arguments.
    """

    name: str
    arguments: str
    summary: str
    example: str
    right: Right
    scope: Scope
    build: "Builder"

    @property
    def usage(self) -> str:
        return f"/swarm {self.name} {self.arguments}".rstrip()

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(re.findall("--[a-z-]+", self.arguments))


@dataclass(frozen=True)
class Arguments:
    """The words after a command's name. `hosts`: names of the inventory, empty while they are unknown."""

    spec: CommandSpec
    words: tuple[str, ...]
    hosts: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(word for word in self.words if not word.startswith("-"))

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(self.flag(word) for word in self.words if word.startswith("-"))

    def flag(self, word: str) -> str:
        """Return the flag of the command that the word spells, with any number of hyphens; else the word."""
        corrected = "--" + word.lower().lstrip("-").removesuffix(".")
        return corrected if corrected in self.spec.flags else word.lower()


@dataclass(frozen=True)
class UsageError:
    """What is wrong with a command, and what to type instead.

    `spec`: the command to show an example of. `unknown_host`: the name that is not in the inventory.
    """

    text: str
    usage: str
    spec: CommandSpec | None = None
    unknown_host: str = ""


@dataclass(frozen=True)
class ShowHelp:
    """Show the commands that the user may use."""

    type: ClassVar = "help"


@dataclass(frozen=True)
class ShowStatus:
    """Show one run, or the list of runs if `run` is None."""

    run: str | None = None
    type: ClassVar = "status"


@dataclass(frozen=True)
class ShowAudit:
    """Show the audit log. `subject`: a host, a user ID, or a run ID; None for everything."""

    subject: str | None = None
    type: ClassVar = "audit"


@dataclass(frozen=True)
class DecideRun:
    """Answer the question of a run. `target`: a run ID; to accept or reject also a node ID or a prefix of one."""

    target: str
    choice: Literal["accept", "reject", "remove", "continue"]

    @property
    def type(self) -> str:
        return "reject" if self.choice == "remove" else self.choice


@dataclass(frozen=True)
class ControlRun:
    """Pause, resume, cancel or retry a run. `run`: its ID, None for the only run that the action applies to."""

    run: str | None
    action: Literal["pause", "resume", "cancel", "retry"]

    @property
    def type(self) -> str:
        return self.action


@dataclass(frozen=True)
class ShowWatch:
    """Show whether the watch is on, and its incidents."""

    type: ClassVar = "watch"


@dataclass(frozen=True)
class ControlWatch:
    """Turn the watch on or off, or mute it for some seconds."""

    action: Literal["on", "off", "mute"]
    seconds: int = 0

    @property
    def type(self) -> str:
        return f"watch_{self.action}"


ParsedCommand = Command | ShowStatus | ShowHelp | ShowAudit | ShowWatch | DecideRun | ControlRun | ControlWatch
Builder = Callable[[Arguments], ParsedCommand | UsageError]
