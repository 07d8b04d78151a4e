"""Scripts that run on a simulated host: recognized by a part of their text, with their effect on its state."""

import ipaddress
import itertools
import time

from lab.simulated import apt
from lab.simulated.machine import APT_SOURCE_PATH, Machine
from lab.simulated.output import Output
from lab.simulated.units import Unit, Work

UPGRADE_MARKER, LISTEN_MARKER = "apt-get -q install", "IO::Select"
GIB = 2**30


def list_copies(machine: Machine, rest: list[str], stdin: str) -> Output:
    paths = sorted(path for path in machine.disk.texts if path.startswith(f"{rest[2]}.imker-"))
    return Output(0, "".join(f"{path}\n" for path in paths))


def show_candidates(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Return each package's versions, then the versions of the first package older than the installed one."""
    if machine.apt_fails:
        return Output(100, "", "E: Failed to fetch http://packages.invalid  404  Not Found\n")
    _, _, has_source, installed, *packages = rest
    versions_by_package = apt.offered_versions(
        machine.age, stdin if has_source else machine.disk.texts.get(APT_SOURCE_PATH, "")
    )
    older_versions = (
        candidate for candidate in versions_by_package.get(packages[0], []) if apt.is_older(candidate, installed)
    )
    madison = "".join(apt.render_madison(versions_by_package, package) + "==\n" for package in packages)
    return Output(0, madison + "".join(f"{version}\n" for version in older_versions))


def show_conditions(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Return the host's environment section by section, as each tool prints it."""
    address = machine.lab_host.address
    network = ipaddress.ip_network(f"{address}/16", strict=False)
    docker = bool(machine.dockerd.version)
    sections = {
        "now": f"{time.time():.9f}\n",
        "machine": f"{machine.machine_id}\n",
        "init": "systemd\n",
        "disk": f"Filesystem 1B-blocks Used Available Capacity Mounted on\n/dev/vda {40 * GIB} {GIB} {39 * GIB} 3% /\n",
        "broken": "".join(
            f"{package.state}  {name}\n" for name, package in machine.packages.items() if package.state != "ii"
        ),
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
        "store": _store_connections(machine),
        "locks": "4711 apt-get\n" if machine.units.is_running("imker-upgrade.service") else "",
        "certificate": machine.disk.texts.get(rest[3] if len(rest) > 3 else "", ""),
        "end": "end\n",
    }
    return Output(0, "".join(f"=={name}\n{text}" for name, text in sections.items()))


def _store_connections(machine: Machine) -> str:
    """Return the connections to the key-value store on this host: those of running agents."""
    if "consulnode01" not in machine.containers or not machine.containers["consulnode01"].running:
        return ""
    agents = (
        other.lab_host.address
        for other in machine.world.machines.values()
        if other.dockerd.version and (agent := other.containers.get("swarm-agent")) and agent.running
    )
    return "".join(f"0 0 {machine.lab_host.address}:8500 {address}:40000\n" for address in agents)


# --- transient units and Perl programs ------------------------------------------------------------------------------


def start_transient_unit(machine: Machine, rest: list[str], stdin: str) -> Output:
    settings = dict(word.removeprefix("--").split("=", 1) for word in rest if word.startswith("--") and "=" in word)
    name, description = settings["unit"], settings.get("description", "")
    argv = [word.replace("$$", "$") for word in itertools.dropwhile(lambda word: word.startswith("--"), rest)]
    work = _unit_work(machine, argv)
    if work is None:
        machine.world.history.record_unknown(machine.name, f"systemd-run {' '.join(argv)[:200]}")
        return Output(127, "", "no such program on a simulated host\n")
    if not machine.units.start(name, work, description):
        return Output(1, "", f"Failed to start transient service unit: Unit {name} was already loaded.\n")
    return Output(0, "", f"Running as unit: {name}\n")


def _unit_work(machine: Machine, argv: list[str]) -> Work | None:
    if argv[:2] == ["sh", "-c"] and UPGRADE_MARKER in argv[2]:
        return apt.upgrade_work(machine, argv[4:])
    if argv[:2] == ["perl", "-e"] and LISTEN_MARKER in argv[2] and "Listen" in argv[2]:
        return _listen_work(argv[3])
    return None


def _listen_work(word: str) -> Work:
    """Return the work of a listener that sends its word to every client for 120 s."""

    def work(unit: Unit) -> int:
        unit.output.append(word)
        unit.wait(120)
        return 0

    return work


def probe_ports(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Probe ports, given as `kind,address,port`.

    The result is "open" if a listener sends the word, "taken" by an Engine in the swarm, or "closed".
    """
    word, targets = rest[1], [target.split(",") for target in rest[2:]]
    lines = (
        f"{kind},{address},{port} {_port_state(machine, word, address, port)}\n" for kind, address, port in targets
    )
    return Output(0, "".join(lines))


def _port_state(machine: Machine, word: str, address: str, port: str) -> str:
    world = machine.world
    target = next(
        (
            machine_at
            for machine_at in world.machines.values()
            if address in (machine_at.lab_host.address, machine_at.second)
        ),
        None,
    )
    if target is None or not target.is_up or target.silent.is_set():
        return "closed"
    node = world.swarm.node_of(target)
    if node is not None and target.dockerd.version and (port != "2377" or node.role == "manager"):
        return "taken"
    unit = target.units.get("imker-probe.service")
    return "open" if unit and unit.sub_state == "running" and word in unit.output else "closed"
