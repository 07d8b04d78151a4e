"""Define the parts of events: findings, steps, table rows. Pure."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from imker.protocol.commands import Role
from imker.protocol.next_command import NextCommands
from imker.text import one_line

Level = Literal["pass", "warn", "block"]
UnixSeconds = Annotated[float, Field(ge=0, lt=1e11)]  # below the year 5138, and never infinite


@dataclass(frozen=True)
class Finding:
    """The result of a named check. `hint`: what to do, "" for a pass. `next_commands`: shown after the hint."""

    check: str
    level: Level
    text: str
    hint: str = ""
    next_commands: NextCommands = ()

    @property
    def as_text(self) -> str:
        """Return the finding for a terminal: one line, and one for the hint."""
        word = "fail" if self.level == "block" else self.level
        summary, hint = one_line(f"{self.check}: {self.text}", 2000), one_line(self.hint, 2000)
        return f"{word}  {summary}" + (f"\n      {hint}" if hint else "")


@dataclass(frozen=True)
class StepLine:
    """A step of a plan as users see it. `key` is unique in the plan."""

    key: str
    title: str
    detail: str = ""


@dataclass(frozen=True)
class Candidate:
    """A node that is pending acceptance: the address that a manager observed, and what the host claims."""

    host: str
    node: str
    observed_address: str
    claimed_hostname: str
    claimed_engine: str


@dataclass(frozen=True)
class Quorum:
    """The number of managers and how many may fail, before and after the accepted change."""

    managers: int
    tolerance: int
    managers_after: int
    tolerance_after: int


@dataclass(frozen=True)
class ContainerRow:
    """A container. `restart_policy`: "no" for none; `ports`: as `docker ps` shows them."""

    name: str
    image: str
    running: bool
    restart_policy: str
    ports: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostPlan:
    """One host's part of a fleet's plan.

    `wave`: hosts with the same number may be migrated at the same time; `tolerance`: how many managers may fail after
    it, in words; `warnings_fingerprint`: an approval of the warnings is valid for this value only; `packages`: to
    download ahead, "name=version" each; `joins`: it is no node that is upgraded, so that a promotion may run meanwhile.
    """

    host: str
    role: Role
    step_count: int
    wave: int
    tolerance: str
    warnings_fingerprint: str = ""
    findings: tuple[Finding, ...] = ()
    packages: tuple[str, ...] = ()
    joins: bool = False


@dataclass(frozen=True)
class HostRow:
    """A row of `docker-machine ls` with the role in swarm mode: "worker", "manager", "leader", "pending", or ""."""

    name: str
    driver: str
    state: str
    url: str
    swarm: str
    docker: str
    node_role: str
    error: str = ""


@dataclass(frozen=True)
class NodeRow:
    """A row of `docker node ls` with MEMBERSHIP added. `has_answered`: this node returned the table."""

    id: str
    has_answered: bool
    hostname: str
    membership: Literal["Accepted", "Pending"]
    status: str
    availability: str
    manager_status: str
    engine: str
