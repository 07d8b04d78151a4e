"""Define the inventory and its hosts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imker.protocol.commands import Role

EngineOver = Literal["tls", "ssh"]  # how an Engine is reached


@dataclass(frozen=True)
class Host:
    """A host of the inventory.

    `swarm_address`: the address for swarm traffic, "" if it is `address`. `discovery`: the key-value store of its
    classic Swarm ("consul://..."), "" for none. `store_urls`: all stores that docker-machine names for it.
    `former_store_urls`: those from backups of docker-machine's file. `machine_config`: that file, None for none.
    `ssh_passphrase`: the file with the passphrase of `ssh_key`. `ssh_agent`: whether the SSH agent's keys are tried.
    `ssh_jump`: as ProxyJump of OpenSSH has it. `jumps`: the jump hosts on the way, the first one first.
    """

    name: str
    address: str = ""
    ssh_user: str = "root"
    ssh_port: int = 22
    ssh_key: Path | None = None
    ssh_passphrase: Path | None = None
    ssh_certificate: Path | None = None
    ssh_agent: bool = False
    ssh_jump: str = ""
    jumps: "tuple[Host, ...]" = ()
    tls: Path | None = None
    engine_port: int = 2376
    engine_over: EngineOver = "tls"
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
    def engine_protocol(self) -> str:
        """Return how the Engine is reached, as a person writes it."""
        return self.engine_over.upper()

    @property
    def engine_place(self) -> str:
        """Return where the Engine is reached, for a sentence."""
        return "over SSH" if self.engine_over == "ssh" else f"at {self.address}:{self.engine_port}"

    @property
    def engine_url(self) -> str:
        """Return where the Engine is reached, as DOCKER_HOST has it, without a user."""
        if self.engine_over == "tls":
            return f"tcp://{self.address}:{self.engine_port}"
        return f"ssh://{self.address}" + ("" if self.ssh_port == 22 else f":{self.ssh_port}")

    @property
    def advertise_address(self) -> str:
        """Return the address at which other nodes of the swarm reach this host."""
        return self.swarm_address or self.address


Inventory = Mapping[str, Host]


def classic_swarm_column(host: Host, inventory: Inventory) -> str:
    """Return docker-machine's SWARM column: the master's name, with "(master)" for the master, "" for no swarm."""
    if not host.discovery:
        return ""
    if host.classic_master:
        return f"{host.name} (master)"
    masters = [other.name for other in inventory.values() if other.classic_master and other.discovery == host.discovery]
    return masters[0] if masters else host.discovery
