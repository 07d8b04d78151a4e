"""The hosts of the fleet as data: names, addresses, roles, and states. Pure."""

from dataclasses import dataclass
from typing import Literal

BRIDGE, GATEWAY, NETWORK = "imker0", "198.18.0.1", "198.18.0.0/24"
PORT = 8800  # port of the apt repository at the gateway's address
REPOSITORY = f"http://{GATEWAY}:{PORT}/"

OptionsPlace = Literal["defaults", "unit", "drop-in", "json"]


@dataclass(frozen=True)
class LabHost:
    """A host.

    `options` is where its daemon options are, `classic_role` its role in the classic Swarm, `network` the first bytes
    of its address. With `engine_over` "ssh", its Engine opens no TCP port.
    """

    name: str
    number: int
    options_place: OptionsPlace
    classic_role: Literal["", "member", "master", "store"]
    server: str
    role: Literal["manager", "worker"] = "worker"
    live_restore: bool = False
    mount_flags: bool = False
    network: str = "198.18.0"
    ssh_port: int = 22
    engine_over: Literal["tls", "ssh"] = "tls"
    store_address: str = "198.18.0.64"  # address of lausen, which has the key-value store

    @property
    def address(self) -> str:
        return f"{self.network}.{self.number}"

    @property
    def store_url(self) -> str:
        return f"consul://{self.store_address}:8500"

    @property
    def cluster_options(self) -> dict[str, str]:
        return {"cluster-store": self.store_url, "cluster-advertise": "eth0:2376"}

    @property
    def in_classic_swarm(self) -> bool:
        return self.classic_role in ("member", "master")

    @property
    def classic_containers(self) -> tuple[tuple[str, str, str], ...]:
        """Return (name, image, arguments of docker run) of the classic Swarm's containers on this host."""
        agent = ("swarm-agent", "swarm:1.2.3", "--restart=always")
        master = ("swarm-agent-master", "swarm:1.2.3", "--restart=always -p 3376:3376")
        consul = ("consulnode01", "progrium/consul:latest", "--restart=always -p 8500:8500")
        return {"": (), "member": (agent,), "master": (agent, master), "store": (consul,)}[self.classic_role]


FLEET = (
    LabHost("connewitz", 60, "unit", "", "server-1", "manager"),
    LabHost("tondi", 73, "defaults", "member", "server-2", "manager"),
    LabHost("kaditz", 39, "defaults", "member", "server-3", "manager"),
    LabHost("lausen", 64, "json", "store", "server-1", live_restore=True),
    LabHost("lindenau", 66, "unit", "member", "server-2"),
    LabHost("miltitz", 65, "unit", "master", "server-3", mount_flags=True),
    LabHost("pirita", 72, "drop-in", "member", "server-1"),
    LabHost("tolkewitz", 43, "json", "member", "server-2"),
)
EXTRA = tuple(LabHost(f"extra{n}", 100 + n, "defaults", "member", f"server-{n % 3 + 1}") for n in range(1, 9))
BY_NAME = {host.name: host for host in (*FLEET, *EXTRA)}

# Applications on every host: one restarts automatically, one does not, one publishes a port.
APPLICATIONS = (
    ("web", "nginx:1.11", "--restart=unless-stopped"),
    ("batch", "debian:jessie", ""),
    ("cache", "redis:3", "--restart=unless-stopped -p 6379:6379"),
)
IMAGES = ("swarm:1.2.3", "progrium/consul:latest", "nginx:1.11", "debian:jessie", "redis:3")
