"""Define the swarm's ports and the result of a probe. Pure."""

from dataclasses import dataclass

SWARM_PORTS = (("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789))


@dataclass(frozen=True)
class PortProbe:
    """Whether host `caller` reached a port of host `target`. `used_by_engine`: the Engine listens there.

    `error`: why the probe failed, "" if it did not. A failed probe has no port.
    """

    caller: str
    target: str
    protocol: str = ""
    port: int = 0
    reached: bool = False
    used_by_engine: bool = False
    error: str = ""


Probes = tuple[PortProbe, ...]
