"""The jobs' part of `imker.toml`: the inventory, the hosts, the engine. Values; read once at the start."""

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from imker import config
from imker.config import AcceptanceRules


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError("must be an IPv4 address") from None


Address = Annotated[str, AfterValidator(_ipv4)]
HomePath = Annotated[Path, AfterValidator(lambda path: path.expanduser())]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class InventorySection(Section):
    docker_machine: HomePath | None = None
    known_hosts: HomePath = Path("~/.ssh/known_hosts").expanduser()


class HostSection(Section):
    """Adds to, or overrides, what docker-machine's store says. `tls`: the folder with ca.pem, cert.pem, key.pem.

    `swarm_address`: the address of its swarm traffic, where that is another one than `address`.
    """

    address: str | None = None
    swarm_address: Address | None = None
    ssh_user: str | None = None
    ssh_port: int | None = Field(default=None, ge=1, le=65535)
    ssh_key: HomePath | None = None
    tls: HomePath | None = None
    role: Literal["manager", "worker"] = "worker"
    server: str = ""


class AptComponent(Section):
    before: str = Field(alias="from")
    after: str = Field(alias="to")


class EngineSection(Section):
    """`package` None: the one installed. `version`: a pattern such as "26.1*"; None: the newest candidate."""

    package: str | None = None
    version: str | None = None
    apt_list: Path = Path("/etc/apt/sources.list.d/docker.list")
    apt_component: AptComponent | None = None


class FleetSection(Section):
    """`parallel`: workers migrated at once; `address_pool`: what a new swarm's overlay networks are cut from."""

    parallel: int = Field(default=2, ge=1, le=16)
    address_pool: IPv4Network = IPv4Network("10.0.0.0/8")


class Settings(Section):
    rights: AcceptanceRules = AcceptanceRules()
    inventory: InventorySection = InventorySection()
    hosts: dict[str, HostSection] = Field(default_factory=dict)
    engine: EngineSection = EngineSection()
    fleet: FleetSection = FleetSection()


def load_settings(path: Path | None = None) -> Settings:
    """Raises imker.config.ConfigError, with a line for each thing wrong. Default: IMKER_CONFIG, or imker.toml."""
    return config.load_config(Settings, path or _default_path())


def read_settings(path: Path | None = None) -> tuple[Settings, tuple[str, ...]]:
    """What is right, and a line for each thing that is not. Raises ConfigError for a file that cannot be read."""
    return config.read_partial(Settings, path or _default_path())


def _default_path() -> Path:
    return Path(os.environ.get("IMKER_CONFIG", "imker.toml"))
