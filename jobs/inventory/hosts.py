"""Load the inventory, the hosts that Imker may change: docker-machine's store, overridden by `[hosts.*]`.

In: settings and the store's files. Out: hosts by name. Imker connects to no other host.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from imker import config, log, signing
from imker.config import ConfigError
from imker.secret_files import SHARED_SECRETS, read_secrets
from jobs import settings
from jobs.inventory import docker_machine
from jobs.inventory.docker_machine import Driver, HostOptions, Machine, Swarm
from jobs.inventory.model import Host, Inventory
from jobs.settings import HostSection, Settings


def load_checked(path: Path | None = None) -> tuple[Settings, Inventory]:
    """Load settings and inventory. Raises ConfigError with a line for each problem, also of the signing key."""
    configuration, problems = settings.read_settings(path)
    hosts, host_problems = read_hosts(configuration)
    problems = (*problems, *host_problems, *read_secrets(SHARED_SECRETS)[1], *_environment_problems())
    if problems:
        raise ConfigError(problems)
    return configuration, hosts


def _environment_problems() -> list[str]:
    problem = signing.key_problem(os.environ)
    return [*([problem] if problem else []), *log.level_problems(os.environ)]


def load_inventory(configuration: Settings) -> Inventory:
    """Load the inventory. Raises ConfigError with a line for each problem of a host."""
    hosts, problems = read_hosts(configuration)
    if problems:
        raise ConfigError(problems)
    return hosts


def read_hosts(configuration: Settings) -> tuple[Inventory, tuple[str, ...]]:
    """Return the hosts, and a line for each problem."""
    hosts, unreadable = _read_machine_store(configuration.inventory.docker_machine)
    for name, section in configuration.hosts.items():
        hosts[name] = _override(hosts.get(name, Host(name)), section)
    problems = [*unreadable, *_check_known_hosts(configuration.inventory.known_hosts)]
    if not hosts and not unreadable:
        problems.append("[hosts]: no hosts; set [inventory] docker_machine, or add [hosts.NAME] sections")
    ordered = dict(sorted(hosts.items()))
    # If the store is unreadable, a missing address may be in it: report only the store.
    checked_hosts = [host for host in ordered.values() if host.address or not unreadable]
    return ordered, (
        *problems,
        *(line for host in checked_hosts for line in _find_problems(host)),
        *_find_shared_addresses(ordered),
    )


def _find_shared_addresses(hosts: Inventory) -> Iterable[str]:
    """Return a line for each swarm address that another host has too: a node belongs to the host at its address."""
    for host in hosts.values():
        others = [other.name for other in hosts.values() if other != host and host.swarm_address in _addresses(other)]
        if host.swarm_address and others:
            yield f"[hosts.{host.name}] swarm_address: {host.swarm_address} is the address of {', '.join(others)}"


def _addresses(host: Host) -> tuple[str, str]:
    return host.address, host.swarm_address


def _check_known_hosts(path: Path) -> list[str]:
    if path.is_file():
        return []
    hint = "check each host's key on its console, then: `ssh-keyscan ADDRESS >> "
    return [f"[inventory] known_hosts: {path} does not exist; {hint}{path}`"]


def _read_machine_store(store: Path | None) -> tuple[dict[str, Host], list[str]]:
    if store is None:
        return {}, []
    if not (store / "machines").is_dir():
        return {}, [f"[inventory] docker_machine: {store / 'machines'} does not exist"]
    hosts, problems = {}, []
    for path in sorted((store / "machines").glob("*/config.json")):
        try:
            hosts[path.parent.name] = _read_machine(path)
        except (OSError, ValidationError) as error:
            problems.append(f"{path}: {_describe_error(error)}; fix it, or move its folder out of the store")
    return hosts, problems


def _read_machine(path: Path) -> Host:
    """Read a host from its `config.json`. Only files in the same folder are used."""
    text = path.read_bytes()
    machine = Machine.model_validate_json(text)
    driver, swarm = machine.driver or Driver(), (machine.options or HostOptions()).swarm or Swarm()
    return Host(
        name=path.parent.name,
        address=driver.address or "",
        ssh_user=driver.ssh_user or "root",
        ssh_port=driver.ssh_port or 22,
        ssh_key=_find_ssh_key(driver.ssh_key, path.parent),
        tls=path.parent,
        driver=machine.driver_name or "-",
        discovery=swarm.discovery or "",
        classic_master=bool(swarm.master),
        store_urls=docker_machine.parse_store_urls(text.decode()),
        former_store_urls=tuple(
            url
            for copy in sorted(_find_backups(path))
            for url in docker_machine.parse_store_urls(copy.read_text(errors="replace"))
        ),
        machine_config=path,
    )


def _find_backups(config: Path) -> Iterable[Path]:
    return config.parent.glob(f"{config.name}.imker-*")


def _describe_error(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    return f"{path}: {config.describe_error(first)}" if path else "is not a JSON object written by docker-machine"


def _find_ssh_key(configured_path: str | None, folder: Path) -> Path | None:
    if configured_path and Path(configured_path).is_file():
        return Path(configured_path)
    return folder / "id_rsa" if (folder / "id_rsa").is_file() else None


def _override(host: Host, section: HostSection) -> Host:
    overrides = section.model_dump(exclude_none=True, exclude_unset=True)
    return replace(host, **overrides)


def _find_problems(host: Host) -> list[str]:
    lines = [_check_name(host.name), _check_address(host.address), *_check_ssh_key(host.ssh_key), *_check_tls(host.tls)]
    return [f"[hosts.{host.name}]{line}" for line in lines if line]


def _check_name(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", name) and name != "all":
        return ""
    return ": invalid name; use lowercase letters, digits, dots, and hyphens, and not the word all"


def _check_address(address: str) -> str:
    if not address:
        return " address: missing, also in docker-machine's store"
    good = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", address, re.ASCII)
    return "" if good else f" address: {address!r} is neither an IPv4 address nor a host name"


def _check_ssh_key(key: Path | None) -> list[str]:
    if key is None:
        return [" ssh_key: missing, also in docker-machine's store"]
    return [_check_secret_file(" ssh_key", key)]


def _check_tls(folder: Path | None) -> list[str]:
    if folder is None:
        return [" tls: missing; set the folder with ca.pem, cert.pem, and key.pem for the Engine API"]
    public = [
        f" tls: {folder / name} does not exist" for name in ("ca.pem", "cert.pem") if not (folder / name).is_file()
    ]
    return [*public, _check_secret_file(" tls", folder / "key.pem")]


def _check_secret_file(setting: str, path: Path) -> str:
    if not path.is_file():
        return f"{setting}: {path} does not exist"
    return f"{setting}: {path} is readable by other users; run chmod 600 {path}" if path.stat().st_mode & 0o077 else ""
