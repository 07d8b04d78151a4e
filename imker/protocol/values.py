"""What events are made of: findings, steps, rows of tables."""

from dataclasses import dataclass
from typing import Literal

from imker.protocol.commands import Role
from imker.text import one_line

Level = Literal["pass", "warn", "block"]


@dataclass(frozen=True)
class Finding:
    """A named check's answer. `hint` says what to do, and is empty for a pass."""

    check: str
    level: Level
    text: str
    hint: str = ""

    @property
    def as_text(self) -> str:
        """For a terminal: one line, and one for the hint."""
        word = "fail" if self.level == "block" else self.level
        said, hint = one_line(f"{self.check}: {self.text}", 2000), one_line(self.hint, 2000)
        return f"{word}  {said}" + (f"\n      {hint}" if hint else "")


@dataclass(frozen=True)
class StepLine:
    """A step as people read it. `key` is unique in its plan."""

    key: str
    title: str
    detail: str = ""


@dataclass(frozen=True)
class Candidate:
    """Who waits for acceptance: what a manager observed, and what the host claims of itself."""

    host: str
    node: str
    observed_address: str
    claimed_hostname: str
    claimed_engine: str


@dataclass(frozen=True)
class Quorum:
    """Managers, and how many of them may fail, now and after what is asked."""

    managers: int
    tolerance: int
    managers_after: int
    tolerance_after: int


@dataclass(frozen=True)
class ContainerRow:
    """`restart`: the policy's name, "no" for none; `ports`: as `docker ps` writes them."""

    name: str
    image: str
    running: bool
    restart_policy: str
    ports: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostPlan:
    """One host's part of a fleet's migration. `warned`: what a yes to its warnings is bound to; `survives`: the swarm

    after it, in words; `wave`: legs of the same number may go on at the same time.
    """

    host: str
    role: Role
    step_count: int
    wave: int
    tolerance: str
    warnings_fingerprint: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class HostRow:
    """A row of `docker-machine ls`, and the place in swarm mode: "worker", "manager", "leader", "pending" or ""."""

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
    """A row of `docker node ls` with the write-up's MEMBERSHIP; `asked` marks the node that answered."""

    id: str
    has_answered: bool
    hostname: str
    membership: Literal["Accepted", "Pending"]
    status: str
    availability: str
    manager_status: str
    engine: str
