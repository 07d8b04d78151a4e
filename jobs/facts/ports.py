"""The swarm's ports, and what a probe of one found. Pure."""

from dataclasses import dataclass

SWARM_PORTS = (("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789))


@dataclass(frozen=True)
class PortProbe:
    """One direction, between hosts by name: whether `caller` reached `target`. `held`: by the Engine there.

    `untried`: why it is not known; then there is no port.
    """

    caller: str
    target: str
    protocol: str = ""
    port: int = 0
    reached: bool = False
    used_by_engine: bool = False
    error: str = ""


Probes = tuple[PortProbe, ...]
