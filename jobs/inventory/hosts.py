"""Load the inventory, the hosts that Imker may change: docker-machine's store, overridden by `[hosts.*]`.

In: settings and the store's files. Out: hosts by name. Imker connects to no other host.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from imker import log, signing
from imker.config import ConfigError
from imker.secret_files import SHARED_SECRETS, read_secrets
from jobs import settings
from jobs.inventory import validation
from jobs.inventory.machine_store import read_store
from jobs.inventory.model import Inventory
from jobs.inventory.ssh_access import SshAccess, read_config
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
    stored, unreadable = read_store(configuration.inventory.docker_machine)
    config, unusable = read_config(configuration.inventory.ssh_config)
    access = SshAccess(configuration.inventory, config)
    sections, repeated = _by_lower_name(configuration.hosts)
    names = sorted({*stored, *sections})
    complete = {name: access.complete(name, stored.get(name), sections.get(name, HostSection())) for name in names}
    hosts, wrong_jumps = access.with_jumps(complete)
    problems = [*unreadable, *unusable, *repeated, *validation.check_known_hosts(configuration.inventory.known_hosts)]
    if not hosts and not unreadable:
        problems.append("[hosts]: no hosts; set [inventory] docker_machine, or add [hosts.NAME] sections")
    # If the store is unreadable, a missing address may be in it: report only the store.
    checked_hosts = [host for host in hosts.values() if host.address or not unreadable]
    return hosts, (
        *problems,
        *(line for host in checked_hosts for line in validation.find_problems(host, stored.get(host.name))),
        *access.find_problems(hosts, sections),
        *wrong_jumps,
        *validation.find_shared_addresses(hosts),
    )


def _by_lower_name(sections: Mapping[str, HostSection]) -> tuple[dict[str, HostSection], list[str]]:
    """Return the sections by host name in lower case, and a line for each that is there twice."""
    by_name: dict[str, HostSection] = {}
    problems = []
    for name, section in sections.items():
        if name.lower() in by_name:
            problems.append(f"[hosts.{name}]: another section is about {name.lower()}, too; names ignore case")
        by_name.setdefault(name.lower(), section)
    return by_name, problems
