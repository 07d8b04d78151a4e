"""A host of the inventory, and the inventory. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imker.protocol.commands import Role


@dataclass(frozen=True)
class Host:
    """`discovery`: the classic swarm's store as docker-machine knows it ("consul://…"), "" for a host in none.

    `stores`: all key-value stores that docker-machine names for it, `former_stores` those from before Imker cleaned
    that; `machine`: docker-machine's own file of it, None for a host that it does not know; `swarm_address`: the
    address of its swarm traffic, "" where that is `address`.
    """

    name: str
    address: str = ""
    ssh_user: str = "root"
    ssh_port: int = 22
    ssh_key: Path | None = None
    tls: Path | None = None
    engine_port: int = 2376
    driver: str = "-"
    role: Role = "worker"
    server: str = ""
    discovery: str = ""
    classic_master: bool = False
    store_urls: tuple[str, ...] = ()
    former_store_urls: tuple[str, ...] = ()
    machine_config: Path | None = None
    swarm_address: str = ""

    @property
    def advertise_address(self) -> str:
        """Return the address at which the other nodes of a swarm reach this host."""
        return self.swarm_address or self.address


Inventory = Mapping[str, Host]


def classic_swarm_column(host: Host, inventory: Inventory) -> str:
    """docker-machine's SWARM column: the master's name, "(master)" on the master itself, "" for a host in no swarm."""
    if not host.discovery:
        return ""
    if host.classic_master:
        return f"{host.name} (master)"
    masters = [other.name for other in inventory.values() if other.classic_master and other.discovery == host.discovery]
    return masters[0] if masters else host.discovery
