"""Define the values of the watch: conditions, incidents, and its settings. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from bot.records import ALL_SERVICES

Kind = Literal["swarm", "node", "service", "certificate", "options"]
Phase = Literal["seen", "open", "clearing", "resolved", "seen again"]
HOLD: dict[Kind, float] = {  # seconds that a change has to hold, in at least two observations
    "swarm": 15.0, "node": 15.0, "service": 120.0, "certificate": 0.0, "options": 0.0,
}  # fmt: skip
LEADER_HOLD = 15.0  # seconds that another leader has to hold
UPDATE_HOLD = 600.0  # seconds that a service which is being updated may miss tasks
FLAPPING_SECONDS = 600.0  # after which a resolved incident counts as over; its subject then starts a new one
MAX_NOTICES = 2  # about one subject in FLAPPING_SECONDS


@dataclass(frozen=True)
class Condition:
    """Something that is not as it should be, as one observation shows it.

    `name`: unique among its kind; `label`: what users call it; `host`: its host in the inventory, "" for none;
    `status`: such as "Down"; `detail`: the reason, or what has changed; `managers`, `reachable`: for a node, how many
    managers there are, and how many of them are reachable; `ends_at`: of a certificate, UNIX seconds; `hold`: seconds
    that it has to hold.
    """

    kind: Kind
    name: str
    label: str
    status: str
    host: str = ""
    detail: str = ""
    managers: int = 0
    reachable: int = 0
    ends_at: float = 0.0
    hold: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Incident:
    """A condition over time.

    `since`: when the current occurrence was first observed, or when it was first observed to be gone; `began_at`: when
    the first one was; `resolved_at`: when it was gone, 0 while it is open; `occurrences`: how often it has held;
    `is_known`: it was there when the watch began, so that nothing is posted; `is_removed`: it ended because its subject
    no longer exists; `notices`: when a message was decided, once for each occurrence at most; `noticed`: the occurrence
    that the latest notice is about. All times are UNIX seconds of observations.
    """

    condition: Condition
    phase: Phase
    since: float
    began_at: float
    resolved_at: float = 0.0
    occurrences: int = 0
    is_known: bool = False
    is_removed: bool = False
    notices: tuple[float, ...] = ()
    noticed: int = 0

    @property
    def is_open(self) -> bool:
        return self.phase in ("open", "clearing")

    @property
    def is_unconfirmed(self) -> bool:
        """Return whether the next observation decides whether the change holds."""
        return self.phase in ("seen", "clearing", "seen again")

    @property
    def message(self) -> str:
        """Return the ID of its message, "" for none. Incidents of one kind that open together share a message."""
        return f"{self.condition.kind}-{int(self.notices[0])}" if self.notices else ""


@dataclass(frozen=True)
class LeaderChange:
    """Another manager leads. `old_node`: the former leader's node ID; `at`: UNIX seconds."""

    at: float
    old_node: str
    old: str
    new: str


@dataclass(frozen=True)
class Leadership:
    """The leader as the watch knows it, by node ID. `candidate`: another leader that has not held yet."""

    node: str = ""
    label: str = ""
    candidate: str = ""
    candidate_since: float = 0.0
    changes: tuple[LeaderChange, ...] = ()


@dataclass(frozen=True)
class WatchState:
    """What the watch knows after an observation.

    `observed_at`, `hosts_observed_at`: when the latest observation of the swarm and of the hosts was taken, 0 before
    the first one; `covered`: the kinds that an observation has shown: the first one only says what is there already;
    `manager_hosts`: hosts that managed the swarm; `nodes`, `services`: how many there are.
    """

    observed_at: float = 0.0
    hosts_observed_at: float = 0.0
    incidents: tuple[Incident, ...] = ()
    leadership: Leadership = Leadership()
    covered: tuple[Kind, ...] = ()
    manager_hosts: tuple[str, ...] = ()
    nodes: int = 0
    services: int | None = None


@dataclass(frozen=True)
class WatchMode:
    """Whether the watch is on. `muted_until`: UNIX seconds; `user`: Slack ID of who chose that, "" for the default."""

    is_on: bool = True
    muted_until: float = 0.0
    user: str = ""


@dataclass(frozen=True)
class OwnChanges:
    """What Imker itself is changing.

    `hosts`: names; `services`: names as users typed them; `everything`: it may be any host or service.
    """

    hosts: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    everything: bool = False

    def touches_host(self, host: str) -> bool:
        return self.everything or host in self.hosts

    def touches_managers(self, manager_hosts: Collection[str]) -> bool:
        return self.everything or not self.hosts.isdisjoint(manager_hosts)

    def touches_service(self, service: str) -> bool:
        """Return whether it may move tasks of the service, as every change of a host does.

        Users may name a service without the prefix of its stack.
        """
        named = any(name in (ALL_SERVICES, service) or service.endswith(f"_{name}") for name in self.services)
        return self.everything or bool(self.hosts) or named


NO_CHANGES = OwnChanges()
