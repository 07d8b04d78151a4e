"""Define the RQ workers' part of `imker.toml`: the inventory, hosts, Engine, and fleet. Read once at the start."""

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from imker import config
from imker.config import AcceptanceRules
from jobs.inventory.model import EngineOver


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError("must be an IPv4 address") from None


Address = Annotated[str, AfterValidator(_ipv4)]
HomePath = Annotated[Path, AfterValidator(lambda path: path.expanduser())]


class Section(BaseModel):
    """Base of all sections: immutable, unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class InventorySection(Section):
    """`docker_machine`: docker-machine's store. `known_hosts`: the SSH host keys.

    `ssh_config`: OpenSSH's client configuration, which fills what the store and `[hosts.*]` leave open. The other keys
    are for all hosts that do not set them.
    """

    docker_machine: HomePath | None = None
    known_hosts: HomePath = Path("~/.ssh/known_hosts").expanduser()
    ssh_config: HomePath | None = None
    ssh_agent: bool = False
    ssh_passphrase: HomePath | None = None
    ssh_jump: str = ""
    engine_over: EngineOver = "tls"


class HostSection(Section):
    """A host: adds to, or overrides, docker-machine's store.

    `ssh_passphrase`: the file with the key's passphrase. `ssh_jump`: the jump hosts, as OpenSSH's ProxyJump has them.
    `engine_over`: how the Engine is reached. `tls`: the folder with ca.pem, cert.pem, and key.pem. `swarm_address`:
    the address for swarm traffic, if it differs from `address`. `server`: the machine that the host runs on.
    """

    address: str | None = None
    swarm_address: Address | None = None
    ssh_user: str | None = None
    ssh_port: int | None = Field(default=None, ge=1, le=65535)
    ssh_key: HomePath | None = None
    ssh_passphrase: HomePath | None = None
    ssh_certificate: HomePath | None = None
    ssh_agent: bool | None = None
    ssh_jump: str | None = None
    engine_over: EngineOver | None = None
    tls: HomePath | None = None
    role: Literal["manager", "worker"] = "worker"
    server: str = ""


class AptComponent(Section):
    """The component of Docker's apt source to replace, such as "main", and its replacement."""

    before: str = Field(alias="from")
    after: str = Field(alias="to")


class EngineSection(Section):
    """The target Engine.

    `package` None: the installed one. `version`: a pattern such as "26.1*". `version` None: the newest candidate.
    """

    package: str | None = None
    version: str | None = None
    apt_list: Path = Path("/etc/apt/sources.list.d/docker.list")
    apt_component: AptComponent | None = None


class FleetSection(Section):
    """How a fleet is migrated or upgraded.

    `parallel`: hosts to migrate at the same time. `pause`: seconds between two nodes of `/swarm upgrade all`.
    `address_pool`: the range of a new swarm's overlay networks.
    """

    parallel: int = Field(default=2, ge=1, le=16)
    pause: int = Field(default=30, ge=0, le=3600)
    address_pool: IPv4Network = IPv4Network("10.0.0.0/8")


class Settings(Section):
    """The RQ workers' settings."""

    rights: AcceptanceRules = AcceptanceRules()
    inventory: InventorySection = InventorySection()
    hosts: dict[str, HostSection] = Field(default_factory=dict)
    engine: EngineSection = EngineSection()
    fleet: FleetSection = FleetSection()


def load_settings(path: Path | None = None) -> Settings:
    """Load the settings. Default path: IMKER_CONFIG, or imker.toml. Raises ConfigError with a line for each problem."""
    return config.load_config(Settings, path or _default_path())


def read_settings(path: Path | None = None) -> tuple[Settings, tuple[str, ...]]:
    """Return the valid settings, and a line for each problem. Raises ConfigError if the file cannot be read."""
    return config.read_partial(Settings, path or _default_path())


def _default_path() -> Path:
    return Path(os.environ.get("IMKER_CONFIG", "imker.toml"))
