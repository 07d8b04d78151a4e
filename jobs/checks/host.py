"""The named checks on a host before it is touched: each passes, warns or blocks, and says what to do. Pure.

A text holds no figure that grows while somebody reads it: a person's yes is bound to these words.
"""

import ipaddress
from collections.abc import Iterator
from itertools import chain

from imker.protocol.values import Finding, Level
from jobs.daemon_options.findings import REMOVED_DRIVERS
from jobs.facts.environment import HostEnvironment
from jobs.facts.host import HostFacts
from jobs.facts.packages import parse_engine_version
from jobs.inventory.model import Host

CLOCK_WARN, CLOCK_BLOCK = 5.0, 3000.0  # seconds: worth a word; a node certificate is backdated by an hour, not more
LOW_DISK, NO_DISK = 2 * 2**30, 500 * 2**20  # bytes: images and a package upgrade need room
EXPIRY_WARN = 30 * 24 * 3600.0  # seconds before a certificate's end at which to speak
OVERLAY_MTU = 1500  # below it, overlay networks' own 1450 does not fit
OLDEST_API_SINCE = {25: "1.24", 29: "1.44 (29.3 again: 1.40)"}  # since which Engine no older API is spoken
DEFAULT_ADDRESS_POOL = "10.0.0.0/8"  # swarm mode's own default


def check_host(
    host: Host, facts: HostFacts, target_version: str, *, current_time: float, pool: str = DEFAULT_ADDRESS_POOL
) -> tuple[Finding, ...]:
    """`target`: the Engine's version after; `clock`: UNIX seconds; `pool`: the swarm's address pool."""
    environment = facts.environment
    if environment is None:
        return ()
    return tuple(
        chain(
            _check_ssh_access(host),
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


def _finding(check: str, level: Level, text: str, hint: str = "") -> Iterator[Finding]:
    yield Finding(check, level, text, hint)


def _check_ssh_access(host: Host) -> Iterator[Finding]:
    """Without it nothing here is known: then the look itself ends with one of these."""
    yield Finding("host key", "pass", "the known one")
    yield Finding("SSH", "pass", f"{host.ssh_user} is let in")
    yield Finding("sudo", "pass", f"{host.ssh_user} needs no password")


def _check_clock(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    offset = abs(environment.clock_offset)
    if offset < CLOCK_WARN:
        return _finding("clock", "pass", "agrees with ours")
    level: Level = "block" if offset > CLOCK_BLOCK else "warn"
    direction = "ahead of" if environment.clock_offset > 0 else "behind"
    text = f"{host.name}'s clock is {_round_duration(offset)} {direction} ours; nodes with clocks apart refuse each other's certificates"
    return _finding(
        "clock", level, text, f"Set it right on {host.name}: systemctl restart systemd-timesyncd, or chronyc makestep."
    )


def _round_duration(seconds: float) -> str:
    return (
        f"over {int(seconds // 3600)} h"
        if seconds >= 3600
        else f"over {int(seconds // 60)} min"
        if seconds >= 60
        else "some seconds"
    )


def _check_disk(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    if environment.free_bytes is None or environment.free_bytes >= LOW_DISK:
        return _finding("disk", "pass", "room enough")
    level: Level = "block" if environment.free_bytes < NO_DISK else "warn"
    summary = f"less than {'500 MB' if level == 'block' else '2 GB'} left where the Engine or apt writes"
    return _finding(
        "disk",
        level,
        summary,
        f"Make room on {host.name}: docker system df, apt-get clean, journalctl --vacuum-size=100M.",
    )


def _check_init_system(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    if environment.init_system == "systemd":
        return _finding("init system", "pass", "systemd")
    text = f"{host.name} is run by {environment.init_system}; Imker works with systemd"
    return _finding("init system", "block", text, "Upgrade the host's distribution first.")


def _check_packages(host: Host, facts: HostFacts, environment: HostEnvironment) -> Iterator[Finding]:
    """The Engine's own package, left half-way by an upgrade that was cut, is what a migration mends without asking."""
    own_packages = (
        {facts.package.name, facts.package.replaces, "docker-cli", "docker-ce-cli", "containerd", "containerd.io"}
        if facts.package
        else set()
    )
    others = [line for line in environment.broken_packages if line.split(" ")[0] not in own_packages]
    if environment.apt_lock_holder and facts.upgrade_state not in ("active", "activating"):
        text = f"{environment.apt_lock_holder} holds dpkg's lock; the upgrade would wait for it, 10 minutes at most"
        yield Finding("apt lock", "warn", text, "Let it end first, or continue.")
    else:
        yield Finding("apt lock", "pass", "free")
    if others:
        text = f"dpkg has not finished: {', '.join(others)}; it would be finished first, with its conffiles as they are"
        yield Finding("dpkg", "warn", text, f"Or do it yourself on {host.name}: dpkg --configure -a")
    elif environment.broken_packages:
        hint = "An upgrade was cut; its end is the first thing that is done."
        yield Finding("dpkg", "pass", f"{', '.join(environment.broken_packages)}: will be mended", hint)
    else:
        yield Finding("dpkg", "pass", "nothing half-done")


def _check_storage_driver(environment: HostEnvironment, target_version: str) -> Iterator[Finding]:
    version = parse_engine_version(target_version)
    major = int(version.split(".")[0]) if version else 0
    first = REMOVED_DRIVERS.get(environment.storage_driver)
    if not environment.storage_driver or first is None or major < first:
        return _finding("storage driver", "pass", environment.storage_driver or "not known while the Engine is down")
    text = f"the Engine uses {environment.storage_driver}, which Engine {major} does not have: its images and containers would be gone"
    return _finding(
        "storage driver", "block", text, "Move them to overlay2 first, or choose an older [engine] version."
    )


def _check_certificate(host: Host, environment: HostEnvironment, current_time: float) -> Iterator[Finding]:
    if environment.certificate_expires is None:
        return _finding("TLS certificate", "pass", "none that could be read")
    seconds_left = environment.certificate_expires - current_time
    if seconds_left > EXPIRY_WARN:
        return _finding("TLS certificate", "pass", "good for more than 30 days")
    hint = f"docker-machine regenerate-certs {host.name}, or a new {host.name} certificate from your CA."
    if seconds_left > 0:
        return _finding("TLS certificate", "warn", "the Engine's certificate ends within 30 days", hint)
    return _finding(
        "TLS certificate", "block", "the Engine's certificate has ended: nothing could verify the Engine", hint
    )


def _check_containers(facts: HostFacts, environment: HostEnvironment) -> Iterator[Finding]:
    without = [
        container.name for container in facts.containers if container.running and container.restart_policy == "no"
    ]
    if without:
        hint = "What is to survive a restart of the host needs one: docker update --restart=unless-stopped NAME"
        yield Finding("restart policies", "pass", f"{', '.join(without)}: none; Imker starts them again", hint)
    else:
        yield Finding("restart policies", "pass", "every running container has one")
    on_overlays = [
        container.name for container in facts.containers if set(container.networks) & set(environment.overlay_networks)
    ]
    if on_overlays:
        names = ", ".join(sorted(set(environment.overlay_networks)))
        text = f"{', '.join(on_overlays)}: on an overlay network of the classic store ({names}), which swarm mode cannot serve"
        hint = "Put them on another network first: docker network connect, then docker network disconnect."
        yield Finding("classic overlay networks", "block", text, hint)
    else:
        yield Finding("classic overlay networks", "pass", "no container is on one")


def _check_engine_changes(facts: HostFacts, target_version: str) -> Iterator[Finding]:
    """What the new Engine does otherwise for containers that are all right."""
    major = int((parse_engine_version(target_version) or "0").split(".")[0])
    oldest = next((api for first, api in sorted(OLDEST_API_SINCE.items(), reverse=True) if major >= first), "")
    driving = [container.name for container in facts.containers if container.mounts_docker_socket]
    if oldest and driving:
        text = (
            f"{', '.join(driving)}: drive the Engine through its socket; Engine {major} speaks no API before {oldest}"
        )
        yield Finding("API of helpers", "pass", text, "See that they are young enough; what is too old fails after it.")
    if major >= 29:
        text = "containers get a limit of 1024 open files from Engine 29 on, unless they have one of their own"
        yield Finding("open files", "pass", text, "Where that is too few: default-ulimits in daemon.json.")


def _check_network(host: Host, environment: HostEnvironment, pool: str) -> Iterator[Finding]:
    address = host.advertise_address
    mtu = dict(environment.address_mtus).get(address)
    if mtu is None and environment.address_mtus:
        text = f"{address} is on none of {host.name}'s interfaces; other nodes would be told to look for it there"
        hint = f"Set [hosts.{host.name}] address, or swarm_address, to one that the host has."
        yield Finding("address", "block", text, hint)
    else:
        yield Finding("address", "pass", f"{address} is the host's own" if mtu is not None else "could not be read")
    if mtu and mtu < OVERLAY_MTU:
        text = f"the link's MTU is {mtu}; overlay networks assume 1500, and big packets would be lost"
        hint = f"Create networks with --opt com.docker.network.driver.mtu={mtu - 50}, ingress anew with it too."
        yield Finding("MTU", "warn", text, hint)
    else:
        yield Finding("MTU", "pass", str(mtu) if mtu else "could not be read")
    overlapping = [route for route in environment.routes if _networks_overlap(route, pool)]
    if overlapping:
        text = f"{host.name} routes {', '.join(overlapping)}, inside the swarm's address pool {pool}"
        yield Finding("address pool", "warn", text, "Choose another before the swarm starts: [fleet] address_pool.")
    else:
        yield Finding("address pool", "pass", f"no route of the host is inside {pool}")


def _networks_overlap(route: str, pool: str) -> bool:
    return ipaddress.ip_network(route, strict=False).overlaps(ipaddress.ip_network(pool))


def _check_firewall(environment: HostEnvironment) -> Iterator[Finding]:
    if environment.iptables_backend == "nf_tables" and environment.legacy_tables:
        text = "rules stand in both iptables-legacy and nf_tables; published ports then answer by chance"
        return _finding("iptables", "warn", text, "Move the legacy rules over, then: rmmod iptable_filter iptable_nat.")
    return _finding("iptables", "pass", environment.iptables_backend or "says nothing of its kind")


def _check_docker_group(host: Host, environment: HostEnvironment) -> Iterator[Finding]:
    if not environment.user_groups or "docker" in environment.user_groups or host.ssh_user == "root":
        return _finding("docker group", "pass", f"{host.ssh_user} may use docker")
    text = f"{host.ssh_user} is not in the group docker; Imker does not need it, people may"
    return _finding("docker group", "pass", text, f"Let Imker add it: /swarm migrate {host.name} --docker-group")
