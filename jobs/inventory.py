"""The hosts Imker may touch: docker-machine's store and `[hosts.*]`, folded into one table of values.

In: Settings and the store's files. Out: Hosts by name. Only names found here ever reach a host.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imker.config import ConfigError
from jobs import machine_store
from jobs.contract import Role
from jobs.settings import HostSection, Settings


@dataclass(frozen=True)
class Host:
    """`discovery`: the classic swarm's store as docker-machine knows it ("consul://…"), "" for a host in none.

    `stores`: all key-value stores that docker-machine names for it, `former_stores` those from before Imker cleaned
    that; `machine`: docker-machine's own file of it, None for a host that it does not know.
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


Inventory = Mapping[str, Host]


def load(settings: Settings) -> Inventory:
    """Raises ConfigError with a line for each host that cannot be used as it is."""
    hosts = _from_store(settings.inventory.docker_machine)
    for name, section in settings.hosts.items():
        hosts[name] = _overridden(hosts.get(name, Host(name)), section)
    problems = [line for host in hosts.values() for line in _problems(host)]
    if problems:
        raise ConfigError(problems)
    return dict(sorted(hosts.items()))


def classic_swarm(host: Host, inventory: Inventory) -> str:
    """docker-machine's SWARM column: the master's name, "(master)" on the master itself, "" for a host in no swarm."""
    if not host.discovery:
        return ""
    if host.classic_master:
        return f"{host.name} (master)"
    masters = [other.name for other in inventory.values() if other.classic_master and other.discovery == host.discovery]
    return masters[0] if masters else host.discovery


def _from_store(store: Path | None) -> dict[str, Host]:
    if store is None:
        return {}
    configs = sorted((store / "machines").glob("*/config.json"))
    return {host.name: host for host in map(_machine, configs)}


def _machine(config: Path) -> Host:
    """A machine as docker-machine wrote it; of its files only those beside its config are used."""
    text = config.read_text()
    document: dict[str, Any] = json.loads(text)
    driver, options = document.get("Driver") or {}, document.get("HostOptions") or {}
    swarm = options.get("SwarmOptions") or {}
    return Host(
        name=config.parent.name,
        address=driver.get("IPAddress") or "",
        ssh_user=driver.get("SSHUser") or "root",
        ssh_port=driver.get("SSHPort") or 22,
        ssh_key=_key(driver.get("SSHKeyPath"), config.parent),
        tls=config.parent,
        driver=document.get("DriverName") or "-",
        discovery=swarm.get("Discovery") or "",
        classic_master=bool(swarm.get("Master")),
        stores=machine_store.stores(text),
        former_stores=tuple(url for copy in sorted(_copies(config)) for url in machine_store.stores(copy.read_text())),
        machine=config,
    )


def _copies(config: Path) -> Iterable[Path]:
    return config.parent.glob(f"{config.name}.imker-*")


def _key(written: str | None, folder: Path) -> Path | None:
    if written and Path(written).is_file():
        return Path(written)
    return folder / "id_rsa" if (folder / "id_rsa").is_file() else None


def _overridden(host: Host, section: HostSection) -> Host:
    given = section.model_dump(exclude_none=True, exclude_unset=True)
    return replace(host, **given)


def _problems(host: Host) -> list[str]:
    where = f"[hosts.{host.name}]"
    problems = []
    if not host.address:
        problems.append(f"{where} address: missing, and docker-machine's store does not know it")
    if host.ssh_key is None:
        problems.append(f"{where} ssh_key: missing, and docker-machine's store names none")
    elif not host.ssh_key.is_file():
        problems.append(f"{where} ssh_key: {host.ssh_key} is not there")
    elif host.ssh_key.stat().st_mode & 0o077:
        problems.append(f"{where} ssh_key: {host.ssh_key} can be read by others; chmod 600 {host.ssh_key}")
    if host.tls is None:
        problems.append(f"{where} tls: missing; the folder with ca.pem, cert.pem and key.pem for the Engine API")
    else:
        problems += [
            f"{where} tls: {host.tls / name} is not there"
            for name in ("ca.pem", "cert.pem", "key.pem")
            if not (host.tls / name).is_file()
        ]
    return problems
