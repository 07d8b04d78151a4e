"""The hosts Imker may touch: docker-machine's store and `[hosts.*]`, folded into one table of values.

In: Settings and the store's files. Out: Hosts by name. Only names found here ever reach a host.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from imker import config, signing
from imker.config import ConfigError
from jobs import machine_store, settings
from jobs.contract import Role
from jobs.machine_store import Driver, HostOptions, Machine, Swarm
from jobs.settings import HostSection, Settings


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
    stores: tuple[str, ...] = ()
    former_stores: tuple[str, ...] = ()
    machine: Path | None = None
    swarm_address: str = ""

    @property
    def advertise_address(self) -> str:
        """Return the address at which the other nodes of a swarm reach this host."""
        return self.swarm_address or self.address


Inventory = Mapping[str, Host]


def configured(path: Path | None = None) -> tuple[Settings, Inventory]:
    """Raises ConfigError with a line for each thing wrong: in the file, with its hosts, with the signing key."""
    loaded, problems = settings.read(path)
    hosts, more = _read(loaded)
    problems = (*problems, *more, *filter(None, [signing.trouble(os.environ)]))
    if problems:
        raise ConfigError(problems)
    return loaded, hosts


def load(loaded: Settings) -> Inventory:
    """Raises ConfigError with a line for each host that cannot be used as it is."""
    hosts, problems = _read(loaded)
    if problems:
        raise ConfigError(problems)
    return hosts


def classic_swarm(host: Host, inventory: Inventory) -> str:
    """docker-machine's SWARM column: the master's name, "(master)" on the master itself, "" for a host in no swarm."""
    if not host.discovery:
        return ""
    if host.classic_master:
        return f"{host.name} (master)"
    masters = [other.name for other in inventory.values() if other.classic_master and other.discovery == host.discovery]
    return masters[0] if masters else host.discovery


def _read(loaded: Settings) -> tuple[Inventory, tuple[str, ...]]:
    """The hosts, and a line for each thing that is wrong with them."""
    hosts, broken = _from_store(loaded.inventory.docker_machine)
    for name, section in loaded.hosts.items():
        hosts[name] = _overridden(hosts.get(name, Host(name)), section)
    problems = [*broken, *_known_hosts(loaded.inventory.known_hosts)]
    if not hosts and not broken:
        problems.append("[hosts]: none; name docker-machine's store in [inventory] docker_machine, or [hosts.NAME]")
    ordered = dict(sorted(hosts.items()))
    judged = [host for host in ordered.values() if host.address or not broken]  # else the store may have its address
    return ordered, (*problems, *(line for host in judged for line in _problems(host)), *_shared(ordered))


def _shared(hosts: Inventory) -> Iterable[str]:
    """Refuse a swarm address that is also another host's: a node belongs to the host at its address."""
    for host in hosts.values():
        others = [other.name for other in hosts.values() if other != host and host.swarm_address in _addresses(other)]
        if host.swarm_address and others:
            yield f"[hosts.{host.name}] swarm_address: {host.swarm_address} is the address of {', '.join(others)}"


def _addresses(host: Host) -> tuple[str, str]:
    return host.address, host.swarm_address


def _known_hosts(path: Path) -> list[str]:
    if path.is_file():
        return []
    hint = "check each host's key on its console, then: ssh-keyscan ADDRESS >> "
    return [f"[inventory] known_hosts: {path} is not there; {hint}{path}"]


def _from_store(store: Path | None) -> tuple[dict[str, Host], list[str]]:
    if store is None:
        return {}, []
    if not (store / "machines").is_dir():
        return {}, [f"[inventory] docker_machine: {store / 'machines'} is not there"]
    hosts, problems = {}, []
    for path in sorted((store / "machines").glob("*/config.json")):
        try:
            hosts[path.parent.name] = _machine(path)
        except (OSError, ValidationError) as wrong:
            problems.append(f"{path}: {_why(wrong)}; mend it, or move its folder out of the store")
    return hosts, problems


def _machine(path: Path) -> Host:
    """A machine as docker-machine wrote it; of its files only those beside its config are used."""
    text = path.read_bytes()
    machine = Machine.model_validate_json(text)
    driver, swarm = machine.driver or Driver(), (machine.options or HostOptions()).swarm or Swarm()
    return Host(
        name=path.parent.name,
        address=driver.address or "",
        ssh_user=driver.ssh_user or "root",
        ssh_port=driver.ssh_port or 22,
        ssh_key=_key(driver.ssh_key, path.parent),
        tls=path.parent,
        driver=machine.driver_name or "-",
        discovery=swarm.discovery or "",
        classic_master=bool(swarm.master),
        stores=machine_store.stores(text.decode()),
        former_stores=tuple(
            url for copy in sorted(_copies(path)) for url in machine_store.stores(copy.read_text(errors="replace"))
        ),
        machine=path,
    )


def _copies(config: Path) -> Iterable[Path]:
    return config.parent.glob(f"{config.name}.imker-*")


def _why(wrong: OSError | ValidationError) -> str:
    if isinstance(wrong, OSError):
        return wrong.strerror or str(wrong)
    error = wrong.errors()[0]
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {config.told(error)}" if place else "is no JSON object as docker-machine writes it"


def _key(written: str | None, folder: Path) -> Path | None:
    if written and Path(written).is_file():
        return Path(written)
    return folder / "id_rsa" if (folder / "id_rsa").is_file() else None


def _overridden(host: Host, section: HostSection) -> Host:
    given = section.model_dump(exclude_none=True, exclude_unset=True)
    return replace(host, **given)


def _problems(host: Host) -> list[str]:
    lines = [_name(host.name), _address(host.address), *_ssh_key(host.ssh_key), *_tls(host.tls)]
    return [f"[hosts.{host.name}]{line}" for line in lines if line]


def _name(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", name) and name != "all":
        return ""
    return ": nobody could type this name; small letters, digits, dots and hyphens, and not all"


def _address(address: str) -> str:
    if not address:
        return " address: missing, and docker-machine's store does not know it"
    good = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", address, re.ASCII)
    return "" if good else f" address: {address!r} is no IPv4 address nor a host's name"


def _ssh_key(key: Path | None) -> list[str]:
    if key is None:
        return [" ssh_key: missing, and docker-machine's store names none"]
    return [_secret(" ssh_key", key)]


def _tls(folder: Path | None) -> list[str]:
    if folder is None:
        return [" tls: missing; the folder with ca.pem, cert.pem and key.pem for the Engine API"]
    public = [f" tls: {folder / name} is not there" for name in ("ca.pem", "cert.pem") if not (folder / name).is_file()]
    return [*public, _secret(" tls", folder / "key.pem")]


def _secret(what: str, path: Path) -> str:
    if not path.is_file():
        return f"{what}: {path} is not there"
    return f"{what}: {path} can be read by others; chmod 600 {path}" if path.stat().st_mode & 0o077 else ""
