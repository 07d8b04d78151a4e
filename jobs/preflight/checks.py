"""The named checks on a host before it is touched: each passes, warns or blocks, and says what to do. Pure.

A text holds no figure that grows while somebody reads it: a person's yes is bound to these words.
"""

import ipaddress
from collections.abc import Iterator
from itertools import chain

from jobs.contract import Finding, Level
from jobs.daemon_options.findings import REMOVED_DRIVERS
from jobs.facts import HostFacts, upstream
from jobs.inventory import Host
from jobs.preflight.conditions import Conditions

SKEWED, TOO_SKEWED = 5.0, 3000.0  # seconds: worth a word; a node certificate is backdated by an hour, not more
LITTLE, TOO_LITTLE = 2 * 2**30, 500 * 2**20  # bytes: images and a package upgrade need room
SOON = 30 * 24 * 3600.0  # seconds before a certificate's end at which to speak
OVERLAY_MTU = 1500  # below it, overlay networks' own 1450 does not fit
OLDEST_API = {25: "1.24", 29: "1.44 (29.3 again: 1.40)"}  # since which Engine no older API is spoken
POOL = "10.0.0.0/8"  # swarm mode's own default


def findings(host: Host, now: HostFacts, target: str, *, clock: float, pool: str = POOL) -> tuple[Finding, ...]:
    """`target`: the Engine's version after; `clock`: UNIX seconds; `pool`: the swarm's address pool."""
    seen = now.conditions
    if seen is None:
        return ()
    return tuple(
        chain(
            _way_in(host),
            _clock(host, seen),
            _disk(host, seen),
            _init(host, seen),
            _packages(host, now, seen),
            _storage(seen, target),
            _certificate(host, seen, clock),
            _containers(now, seen),
            _changes(now, target),
            _network(host, seen, pool),
            _firewall(seen),
            _group(host, seen),
        )
    )


def _found(check: str, level: Level, text: str, hint: str = "") -> Iterator[Finding]:
    yield Finding(check, level, text, hint)


def _way_in(host: Host) -> Iterator[Finding]:
    """Without it nothing here is known: then the look itself ends with one of these."""
    yield Finding("host key", "pass", "the known one")
    yield Finding("SSH", "pass", f"{host.ssh_user} is let in")
    yield Finding("sudo", "pass", f"{host.ssh_user} needs no password")


def _clock(host: Host, seen: Conditions) -> Iterator[Finding]:
    away = abs(seen.offset)
    if away < SKEWED:
        return _found("clock", "pass", "agrees with ours")
    level: Level = "block" if away > TOO_SKEWED else "warn"
    wrong = "ahead of" if seen.offset > 0 else "behind"
    text = (
        f"{host.name}'s clock is {_about(away)} {wrong} ours; nodes with clocks apart refuse each other's certificates"
    )
    return _found(
        "clock", level, text, f"Set it right on {host.name}: systemctl restart systemd-timesyncd, or chronyc makestep."
    )


def _about(seconds: float) -> str:
    return (
        f"over {int(seconds // 3600)} h"
        if seconds >= 3600
        else f"over {int(seconds // 60)} min"
        if seconds >= 60
        else "some seconds"
    )


def _disk(host: Host, seen: Conditions) -> Iterator[Finding]:
    if seen.free is None or seen.free >= LITTLE:
        return _found("disk", "pass", "room enough")
    level: Level = "block" if seen.free < TOO_LITTLE else "warn"
    left = f"less than {'500 MB' if level == 'block' else '2 GB'} left where the Engine or apt writes"
    return _found(
        "disk",
        level,
        left,
        f"Make room on {host.name}: docker system df, apt-get clean, journalctl --vacuum-size=100M.",
    )


def _init(host: Host, seen: Conditions) -> Iterator[Finding]:
    if seen.init == "systemd":
        return _found("init system", "pass", "systemd")
    text = f"{host.name} is run by {seen.init}; Imker works with systemd"
    return _found("init system", "block", text, "Upgrade the host's distribution first.")


def _packages(host: Host, now: HostFacts, seen: Conditions) -> Iterator[Finding]:
    """The Engine's own package, left half-way by an upgrade that was cut, is what a migration mends without asking."""
    own = (
        {now.package.name, now.package.present, "docker-cli", "docker-ce-cli", "containerd", "containerd.io"}
        if now.package
        else set()
    )
    others = [broken for broken in seen.broken if broken.split(" ")[0] not in own]
    if seen.locked_by and now.upgrade not in ("active", "activating"):
        text = f"{seen.locked_by} holds dpkg's lock; the upgrade would wait for it, 10 minutes at most"
        yield Finding("apt lock", "warn", text, "Let it end first, or continue.")
    else:
        yield Finding("apt lock", "pass", "free")
    if others:
        text = f"dpkg has not finished: {', '.join(others)}; it would be finished first, with its conffiles as they are"
        yield Finding("dpkg", "warn", text, f"Or do it yourself on {host.name}: dpkg --configure -a")
    elif seen.broken:
        hint = "An upgrade was cut; its end is the first thing that is done."
        yield Finding("dpkg", "pass", f"{', '.join(seen.broken)}: will be mended", hint)
    else:
        yield Finding("dpkg", "pass", "nothing half-done")


def _storage(seen: Conditions, target: str) -> Iterator[Finding]:
    version = upstream(target)
    major = int(version.split(".")[0]) if version else 0
    first = REMOVED_DRIVERS.get(seen.driver)
    if not seen.driver or first is None or major < first:
        return _found("storage driver", "pass", seen.driver or "not known while the Engine is down")
    text = f"the Engine uses {seen.driver}, which Engine {major} does not have: its images and containers would be gone"
    return _found("storage driver", "block", text, "Move them to overlay2 first, or choose an older [engine] version.")


def _certificate(host: Host, seen: Conditions, clock: float) -> Iterator[Finding]:
    if seen.expires is None:
        return _found("TLS certificate", "pass", "none that could be read")
    left = seen.expires - clock
    if left > SOON:
        return _found("TLS certificate", "pass", "good for more than 30 days")
    hint = f"docker-machine regenerate-certs {host.name}, or a new {host.name} certificate from your CA."
    if left > 0:
        return _found("TLS certificate", "warn", "the Engine's certificate ends within 30 days", hint)
    return _found(
        "TLS certificate", "block", "the Engine's certificate has ended: nothing could verify the Engine", hint
    )


def _containers(now: HostFacts, seen: Conditions) -> Iterator[Finding]:
    without = [one.name for one in now.containers if one.running and one.restart == "no"]
    if without:
        hint = "What is to survive a restart of the host needs one: docker update --restart=unless-stopped NAME"
        yield Finding("restart policies", "pass", f"{', '.join(without)}: none; Imker starts them again", hint)
    else:
        yield Finding("restart policies", "pass", "every running container has one")
    held = [one.name for one in now.containers if set(one.networks) & set(seen.overlays)]
    if held:
        names = ", ".join(sorted(set(seen.overlays)))
        text = f"{', '.join(held)}: on an overlay network of the classic store ({names}), which swarm mode cannot serve"
        hint = "Put them on another network first: docker network connect, then docker network disconnect."
        yield Finding("classic overlay networks", "block", text, hint)
    else:
        yield Finding("classic overlay networks", "pass", "no container is on one")


def _changes(now: HostFacts, target: str) -> Iterator[Finding]:
    """What the new Engine does otherwise for containers that are all right."""
    major = int((upstream(target) or "0").split(".")[0])
    oldest = next((api for first, api in sorted(OLDEST_API.items(), reverse=True) if major >= first), "")
    driving = [one.name for one in now.containers if one.drives]
    if oldest and driving:
        text = (
            f"{', '.join(driving)}: drive the Engine through its socket; Engine {major} speaks no API before {oldest}"
        )
        yield Finding("API of helpers", "pass", text, "See that they are young enough; what is too old fails after it.")
    if major >= 29:
        text = "containers get a limit of 1024 open files from Engine 29 on, unless they have one of their own"
        yield Finding("open files", "pass", text, "Where that is too few: default-ulimits in daemon.json.")


def _network(host: Host, seen: Conditions, pool: str) -> Iterator[Finding]:
    address = host.advertise_address
    mtu = dict(seen.networks).get(address)
    if mtu is None and seen.networks:
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
    taken = [route for route in seen.routes if _overlap(route, pool)]
    if taken:
        text = f"{host.name} routes {', '.join(taken)}, inside the swarm's address pool {pool}"
        yield Finding("address pool", "warn", text, "Choose another before the swarm starts: [fleet] address_pool.")
    else:
        yield Finding("address pool", "pass", f"no route of the host is inside {pool}")


def _overlap(route: str, pool: str) -> bool:
    return ipaddress.ip_network(route, strict=False).overlaps(ipaddress.ip_network(pool))


def _firewall(seen: Conditions) -> Iterator[Finding]:
    if seen.iptables == "nf_tables" and seen.legacy_tables:
        text = "rules stand in both iptables-legacy and nf_tables; published ports then answer by chance"
        return _found("iptables", "warn", text, "Move the legacy rules over, then: rmmod iptable_filter iptable_nat.")
    return _found("iptables", "pass", seen.iptables or "says nothing of its kind")


def _group(host: Host, seen: Conditions) -> Iterator[Finding]:
    if not seen.groups or "docker" in seen.groups or host.ssh_user == "root":
        return _found("docker group", "pass", f"{host.ssh_user} may use docker")
    text = f"{host.ssh_user} is not in the group docker; Imker does not need it, people may"
    return _found("docker group", "pass", text, f"Let Imker add it: /swarm migrate {host.name} --docker-group")
