"""Define what the watch sees at one moment. The RQ workers save it, and the reconciler compares it. Pure."""

from dataclasses import dataclass

from imker.protocol.values import NodeRow, UnixSeconds


@dataclass(frozen=True)
class ObservedNode:
    """A node as the managers list it. `host`: its host in the inventory, "" if none has the node's address."""

    row: NodeRow
    host: str = ""


@dataclass(frozen=True)
class ServiceProblem:
    """A service with fewer running tasks than it should have.

    `reason`: in words, "" if it is unknown; `is_updating`: its tasks are being replaced, so that some are missing.
    """

    name: str
    running: int
    desired: int
    reason: str = ""
    is_updating: bool = False


@dataclass(frozen=True)
class Observation:
    """The swarm at one moment.

    `taken_at`: UNIX seconds; `answered_by`: the manager's host, "" if no manager answers; `problem`: why none does, ""
    if there is no swarm; `services`: how many there are, None if they could not be read.
    """

    taken_at: UnixSeconds
    answered_by: str = ""
    nodes: tuple[ObservedNode, ...] = ()
    problem: str = ""
    services: int | None = None
    service_problems: tuple[ServiceProblem, ...] = ()


@dataclass(frozen=True)
class EndingCertificate:
    """A certificate that ends soon. `name`: its file, or "Engine certificate"; `ends_at`: UNIX seconds."""

    host: str
    name: str
    ends_at: UnixSeconds


@dataclass(frozen=True)
class OptionDrift:
    """Daemon options that differ from those with which Imker left the host, such as "icc was removed"."""

    host: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class HostObservation:
    """The hosts at one moment. `unknown_hosts`: those that could not be inspected, of which nothing is known."""

    taken_at: UnixSeconds
    certificates: tuple[EndingCertificate, ...] = ()
    drifts: tuple[OptionDrift, ...] = ()
    unknown_hosts: tuple[str, ...] = ()
