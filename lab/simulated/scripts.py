"""Scripts that are run on a simulated host, known by a stretch of their text, and what they come to on its state."""

import ipaddress
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.simulated import apt, system
from lab.simulated.machine import SOURCE, Machine
from lab.simulated.said import Said
from lab.simulated.units import Unit, Work

UPGRADE, LISTEN = "apt-get -q install", "IO::Select"
GIB = 2**30


@dataclass(frozen=True)
class Script:
    """`has`: what its text contains, and no other's before it; `does` gets argv from the script on."""

    has: str
    does: Callable[[Machine, list[str], str], Said]
    kind: str = ""


def save(machine: Machine, rest: list[str], stdin: str) -> Said:
    _, _, path, stamp, before = rest
    if path in machine.disk.texts:
        machine.disk.copy(path, f"{path}.imker-{stamp}")
        if before:
            note(machine, [*rest[:2], before, f"{path}.imker-{stamp}"], stdin)
    return Said()


def note(machine: Machine, rest: list[str], stdin: str) -> Said:
    machine.disk.write(rest[2], machine.disk.texts.get(rest[2], "") + f"{rest[3]}\n")
    return Said()


def restore(machine: Machine, rest: list[str], stdin: str) -> Said:
    machine.disk.copy(rest[2], rest[3])
    return Said()


def write(machine: Machine, rest: list[str], stdin: str) -> Said:
    machine.disk.write(rest[2], stdin)
    return Said()


def copies(machine: Machine, rest: list[str], stdin: str) -> Said:
    found = sorted(path for path in machine.disk.texts if path.startswith(f"{rest[2]}.imker-"))
    return Said(0, "".join(f"{path}\n" for path in found))


def candidates(machine: Machine, rest: list[str], stdin: str) -> Said:
    """Each package's versions, then those of the first that are older than the installed one."""
    if machine.apt_fails:
        return Said(100, "", "E: Failed to fetch http://packages.invalid  404  Not Found\n")
    _, _, listed, installed, *packages = rest
    offered = apt.offered(machine.age, stdin if listed else machine.disk.texts.get(SOURCE, ""))
    older = (one for one in offered.get(packages[0], []) if apt.older(one, installed))
    shown = "".join(apt.madison(offered, package) + "==\n" for package in packages)
    return Said(0, shown + "".join(f"{version}\n" for version in older))


def conditions(machine: Machine, rest: list[str], stdin: str) -> Said:
    """The host's surroundings, section by section, in each tool's own words."""
    address = machine.about.address
    network = ipaddress.ip_network(f"{address}/16", strict=False)
    docker = bool(machine.dockerd.version)
    sections = {
        "now": f"{time.time():.9f}\n",
        "machine": f"{machine.machine_id}\n",
        "init": "systemd\n",
        "disk": f"Filesystem 1B-blocks Used Available Capacity Mounted on\n/dev/vda {40 * GIB} {GIB} {39 * GIB} 3% /\n",
        "broken": "".join(f"{one.state}  {name}\n" for name, one in machine.packages.items() if one.state != "ii"),
        "addresses": f"1: lo    inet 127.0.0.1/8 scope host lo\n2: eth0    inet {address}/16 scope global eth0\n"
        + (f"3: eth1    inet {machine.second}/24 scope global eth1\n" if machine.second else ""),
        "links": "1: lo: <LOOPBACK,UP> mtu 65536 state UNKNOWN\n2: eth0: <BROADCAST,UP> mtu 1500 state UP\n"
        "3: eth1: <BROADCAST,UP> mtu 1500 state UP\n",
        "routes": f"{network} dev eth0 proto kernel scope link src {address}\n",
        "groups": " ".join(sorted(machine.groups)) + "\n",
        "driver": "overlay2\n" if docker else "",
        "overlays": "",
        "iptables": "iptables v1.8.9 (nf_tables)\n",
        "legacy": "",
        "store": _store(machine),
        "locks": "4711 apt-get\n" if machine.units.running("imker-upgrade.service") else "",
        "certificate": machine.disk.texts.get(rest[3] if len(rest) > 3 else "", ""),
        "end": "end\n",
    }
    return Said(0, "".join(f"=={name}\n{text}" for name, text in sections.items()))


def _store(machine: Machine) -> str:
    """Connections to the key-value store here: those of the agents that still run."""
    if "consulnode01" not in machine.containers or not machine.containers["consulnode01"].running:
        return ""
    agents = (
        other.about.address
        for other in machine.world.machines.values()
        if other.dockerd.version and (agent := other.containers.get("swarm-agent")) and agent.running
    )
    return "".join(f"0 0 {machine.about.address}:8500 {address}:40000\n" for address in agents)


SCRIPTS = (
    Script("apt-cache madison", candidates),
    Script('cat > "$to.imker~"', write, "file"),
    Script('echo "$1.imker-$2"', save, "file"),
    Script('cp -p -- "$1" "$to', restore, "file"),
    Script('printf "%s\\n" "$2" >> "$1"', note, "file"),
    Script(".imker-*; do", copies),
    Script("cat /proc/uptime", system.clocks),
    Script("part now date", conditions),
)


# --- programs under systemd, and Perl's ------------------------------------------------------------------------------


def systemd_run(machine: Machine, rest: list[str], stdin: str) -> Said:
    given = dict(word.removeprefix("--").split("=", 1) for word in rest if word.startswith("--") and "=" in word)
    name, about = given["unit"], given.get("description", "")
    argv = [word.replace("$$", "$") for word in itertools.dropwhile(lambda word: word.startswith("--"), rest)]
    work = _work(machine, argv)
    if work is None:
        machine.world.history.not_known(machine.name, f"systemd-run {' '.join(argv)[:200]}")
        return Said(127, "", "no such program on a simulated host\n")
    if not machine.units.start(name, work, about):
        return Said(1, "", f"Failed to start transient service unit: Unit {name} was already loaded.\n")
    return Said(0, "", f"Running as unit: {name}\n")


def _work(machine: Machine, argv: list[str]) -> Work | None:
    if argv[:2] == ["sh", "-c"] and UPGRADE in argv[2]:
        return apt.upgrade(machine, argv[4:])
    if argv[:2] == ["perl", "-e"] and LISTEN in argv[2] and "Listen" in argv[2]:
        return _listening(argv[3])
    return None


def _listening(word: str) -> Work:
    """It answers every caller with its word, for 120 s."""

    def work(unit: Unit) -> int:
        unit.output.append(word)
        unit.pause(120)
        return 0

    return work


def call_ports(machine: Machine, rest: list[str], stdin: str) -> Said:
    """`kind,address,port` each: open to a listener's word, taken by an Engine in the swarm, or closed."""
    word, targets = rest[1], [target.split(",") for target in rest[2:]]
    lines = (f"{kind},{address},{port} {_port(machine, word, address, port)}\n" for kind, address, port in targets)
    return Said(0, "".join(lines))


def _port(machine: Machine, word: str, address: str, port: str) -> str:
    world = machine.world
    target = next((one for one in world.machines.values() if address in (one.about.address, one.second)), None)
    if target is None or not target.up or target.silent.is_set():
        return "closed"
    node = world.swarm.node_of(target)
    if node is not None and target.dockerd.version and (port != "2377" or node.role == "manager"):
        return "taken"
    unit = target.units.get("imker-probe.service")
    return "open" if unit and unit.sub == "running" and word in unit.output else "closed"
