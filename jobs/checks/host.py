"""Check a host before it is changed: each check passes, warns, or blocks, and names the next action. Pure.

A text contains no number that changes over time, because an approval is bound to the exact texts.
"""

import ipaddress
from collections.abc import Iterator
from itertools import chain

from imker.protocol.commands import Migrate
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Finding, Level
from jobs.checks.api_clients import ApiClient, check_api_clients
from jobs.daemon_options.findings import REMOVED_DRIVERS
from jobs.facts.environment import HostEnvironment
from jobs.facts.host import HostFacts
from jobs.facts.machine import MachineIdentity, is_same_machine
from jobs.facts.packages import parse_engine_version
from jobs.inventory.model import Host

CLOCK_WARN, CLOCK_BLOCK = 5.0, 3000.0  # seconds; swarm mode backdates node certificates by one hour
LOW_DISK, NO_DISK = 2 * 2**30, 500 * 2**20  # bytes that images and a package upgrade need
EXPIRY_WARN = 30 * 24 * 3600.0  # seconds of warning before a certificate expires
OVERLAY_MTU = 1500  # bytes; overlay networks use 1450 of it
DEFAULT_ADDRESS_POOL = "10.0.0.0/8"  # the default of swarm mode


def check_host(
    host: Host,
    facts: HostFacts,
    target_version: str,
    *,
    current_time: float,
    pool: str = DEFAULT_ADDRESS_POOL,
    worker: MachineIdentity = MachineIdentity(),  # noqa: B008
) -> tuple[Finding, ...]:
    """Return the findings on the host.

    `target_version`: of the Engine; `current_time`: UNIX seconds; `pool`: CIDR; `worker`: the RQ worker's machine.
    """
    environment = facts.environment
    if environment is None:
        return ()
    return tuple(
        chain(
            _check_ssh_access(host),
            _check_own_host(host, environment, worker),
            _check_clock(host, environment),
            _check_disk(host, environment),
            _check_init_system(host, environment),
            _check_packages(host, facts, environment),
            _check_storage_driver(environment, target_version),
            _check_certificate(host, environment, current_time),
            _check_containers(facts, environment),
            _check_engine_changes(facts, target_version),
            _check_network(host, environment, pool),
            _check_firewall(environment),
            _check_docker_group(host, environment),
        )
    )


def _finding(check: str, level: Level, text: str, hint: str = "", *next_commands: NextCommand) -> Iterator[Finding]:
    yield Finding(check, level, text, hint, next_commands)


def _check_ssh_access(host: Host) -> Iterator[Finding]:
    """Pass all three: gathering fails with one of these checks when SSH or sudo is missing."""
    yield Finding("host key", "pass", "matches known_hosts")
    yield Finding("SSH", "pass", f"{host.ssh_user} can log in")
    yield Finding("sudo", "pass", f"{host.ssh_user} needs no password")


def _check_clock(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    offset = abs(environment.clock_offset)
    if offset < CLOCK_WARN:
        return _finding("clock", "pass", "in sync with Imker")
    level: Level = "block" if offset > CLOCK_BLOCK else "warn"
    direction = "ahead of" if environment.clock_offset > 0 else "behind"
    text = f"{host.name}'s clock is {_round_duration(offset)} {direction} Imker's; nodes may reject its certificates"
    hint = f"Sync the clock on {host.name}: `systemctl restart systemd-timesyncd`, or `chronyc makestep`."
    return _finding("clock", level, text, hint)


def _round_duration(seconds: float) -> str:
    if seconds >= 60:
        return f"over {int(seconds // 3600)} h" if seconds >= 3600 else f"over {int(seconds // 60)} min"
    return "a few seconds"


def _check_disk(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    if environment.free_bytes is None or environment.free_bytes >= LOW_DISK:
        return _finding("disk", "pass", "enough free space")
    level: Level = "block" if environment.free_bytes < NO_DISK else "warn"
    summary = f"less than {'500 MB' if level == 'block' else '2 GB'} free where the Engine or apt writes"
    return _finding(
        "disk",
        level,
        summary,
        f"Free disk space on {host.name}: `docker system df`, `apt-get clean`, `journalctl --vacuum-size=100M`.",
    )


def _check_init_system(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    if environment.init_system == "systemd":
        return _finding("init system", "pass", "systemd")
    text = f"{host.name} runs {environment.init_system}; Imker requires systemd"
    return _finding("init system", "block", text, "Upgrade the host's Linux distribution first.")


def _check_packages(host: Host, facts: HostFacts, environment: HostEnvironment) -> Iterator[Finding]:
    """Check dpkg and its lock. A migration repairs the Engine's own half-installed package without asking."""
    own_packages = (
        {facts.package.name, facts.package.replaces, "docker-cli", "docker-ce-cli", "containerd", "containerd.io"}
        if facts.package
        else set()
    )
    others = [line for line in environment.broken_packages if line.split(" ")[0] not in own_packages]
    if environment.apt_lock_holder and facts.upgrade_state not in ("active", "activating"):
        text = f"{environment.apt_lock_holder} holds the dpkg lock; the upgrade would wait up to 10 minutes for it"
        yield Finding("apt lock", "warn", text, "Wait until it finishes, or continue.")
    else:
        yield Finding("apt lock", "pass", "free")
    if others:
        text = f"half-installed packages: {', '.join(others)}; the upgrade would configure them first"
        yield Finding("dpkg", "warn", text, f"To do it yourself, run `dpkg --configure -a` on {host.name}.")
    elif environment.broken_packages:
        hint = "An upgrade was interrupted. Imker completes it first."
        yield Finding("dpkg", "pass", f"{', '.join(environment.broken_packages)}: will be repaired", hint)
    else:
        yield Finding("dpkg", "pass", "no half-installed packages")


def _check_own_host(host: Host, environment: HostEnvironment, worker: MachineIdentity) -> Iterator[Finding]:
    """Block a host that runs this RQ worker: it would restart, or reboot, the machine under its own migration."""
    if not is_same_machine(worker, environment.identity):
        return _finding("own host", "pass", "the RQ workers run elsewhere")
    where = "in a container on" if worker.in_container else "on"
    text = f"this RQ worker runs {where} {host.name}, and the migration would stop it halfway"
    hint = f"Run the RQ workers on a machine that is no host of the inventory, or leave {host.name} out: `--without`."
    return _finding("own host", "block", text, hint)


def _check_storage_driver(environment: HostEnvironment, target_version: str) -> Iterator[Finding]:
    version = parse_engine_version(target_version)
    major = int(version.split(".")[0]) if version else 0
    first = REMOVED_DRIVERS.get(environment.storage_driver)
    if not environment.storage_driver or first is None or major < first:
        return _finding("storage driver", "pass", environment.storage_driver or "unknown while the Engine is down")
    text = f"Engine {major} has no {environment.storage_driver} driver; images and containers would become inaccessible"
    hint = "Move them to overlay2 first, or choose an older [engine] version."
    return _finding("storage driver", "block", text, hint)


def _check_certificate(host: Host, environment: HostEnvironment, current_time: float) -> Iterator[Finding]:
    if environment.certificate_expires is None:
        return _finding("TLS certificate", "pass", "could not be read")
    seconds_left = environment.certificate_expires - current_time
    if seconds_left > EXPIRY_WARN:
        return _finding("TLS certificate", "pass", "valid for more than 30 days")
    hint = f"Run `docker-machine regenerate-certs {host.name}`, or issue a new certificate from your CA."
    if seconds_left > 0:
        return _finding("TLS certificate", "warn", "the Engine's certificate expires within 30 days", hint)
    if host.engine_over == "ssh":
        return _finding("TLS certificate", "warn", "the Engine's certificate has expired; Imker does not use it", hint)
    return _finding(
        "TLS certificate", "block", "the Engine's certificate has expired, so Imker cannot verify the Engine", hint
    )


def _check_containers(facts: HostFacts, environment: HostEnvironment) -> Iterator[Finding]:
    without = [
        container.name for container in facts.containers if container.running and container.restart_policy == "no"
    ]
    if without:
        hint = "To make a container survive a reboot, run `docker update --restart=unless-stopped NAME`."
        yield Finding(
            "restart policies",
            "pass",
            f"containers without one: {', '.join(without)}; Imker restarts them after the upgrade",
            hint,
        )
    else:
        yield Finding("restart policies", "pass", "every running container has one")
    on_overlays = [
        container.name for container in facts.containers if set(container.networks) & set(environment.overlay_networks)
    ]
    if on_overlays:
        names = ", ".join(sorted(set(environment.overlay_networks)))
        text = f"{', '.join(on_overlays)}: on a classic overlay network ({names}), which swarm mode does not support"
        hint = "Move them to another network first: `docker network connect`, then `docker network disconnect`."
        yield Finding("classic overlay networks", "block", text, hint)
    else:
        yield Finding("classic overlay networks", "pass", "no container is on one")


def _check_engine_changes(facts: HostFacts, target_version: str) -> Iterator[Finding]:
    """Mention what the new Engine changes for containers that pass all other checks."""
    major = int((parse_engine_version(target_version) or "0").split(".")[0])
    users = (ApiClient(each.name, each.image) for each in facts.containers if each.mounts_docker_socket)
    yield from check_api_clients(users, target_version)
    if major >= 29:
        text = "since Engine 29, containers without their own limit may open 1024 files"
        yield Finding("open files", "pass", text, "If that is too low, set default-ulimits in daemon.json.")


def _check_network(host: Host, environment: HostEnvironment, pool: str) -> Iterator[Finding]:
    address = host.advertise_address
    mtu = dict(environment.address_mtus).get(address)
    if mtu is None and environment.address_mtus:
        text = f"no interface of {host.name} has {address}, so other nodes could not reach it"
        hint = f"Set [hosts.{host.name}] address, or swarm_address, to an address of the host."
        yield Finding("address", "block", text, hint)
    else:
        yield Finding("address", "pass", f"{address} belongs to the host" if mtu is not None else "could not be read")
    if mtu and mtu < OVERLAY_MTU:
        text = f"the MTU is {mtu}, but overlay networks assume 1500: large packets would be lost"
        hint = f"Create networks with `--opt com.docker.network.driver.mtu={mtu - 50}`, and re-create ingress with it."
        yield Finding("MTU", "warn", text, hint)
    else:
        yield Finding("MTU", "pass", str(mtu) if mtu else "could not be read")
    overlapping = [route for route in environment.routes if _networks_overlap(route, pool)]
    if overlapping:
        text = f"{host.name} routes {', '.join(overlapping)}, which overlaps the swarm's address pool {pool}"
        yield Finding("address pool", "warn", text, "Set another [fleet] address_pool before the swarm is initialized.")
    else:
        yield Finding("address pool", "pass", f"no route of the host overlaps {pool}")


def _networks_overlap(route: str, pool: str) -> bool:
    return ipaddress.ip_network(route, strict=False).overlaps(ipaddress.ip_network(pool))


def _check_firewall(environment: HostEnvironment) -> Iterator[Finding]:
    if environment.iptables_backend == "nf_tables" and environment.legacy_tables:
        text = "iptables-legacy and nf_tables both have rules; published ports may not work"
        return _finding(
            "iptables", "warn", text, "Move the legacy rules to nf_tables, then run: rmmod iptable_filter iptable_nat."
        )
    return _finding("iptables", "pass", environment.iptables_backend or "backend unknown")


def _check_docker_group(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    if not environment.user_groups or "docker" in environment.user_groups or host.ssh_user == "root":
        return _finding("docker group", "pass", f"{host.ssh_user} can use docker")
    text = f"{host.ssh_user} is not in the docker group; Imker does not need it, but people might"
    add_user = NextCommand(Migrate(host.name, docker_group=True), "add the user")
    return _finding("docker group", "pass", text, "", add_user)
