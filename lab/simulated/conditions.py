"""Simulate the tools of a host that show its environment: disk, network, certificates, locks."""

import ipaddress

from lab.simulated.machine import Machine
from lab.simulated.output import Output

GIB = 2**30


def show_disk(machine: Machine, rest: list[str], stdin: str) -> Output:
    header = "Filesystem 1B-blocks Used Available Capacity Mounted on\n"
    return Output(0, f"{header}/dev/vda {40 * GIB} {GIB} {39 * GIB} 3% /\n")


def show_addresses(machine: Machine, rest: list[str], stdin: str) -> Output:
    address = machine.lab_host.address
    lines = f"1: lo    inet 127.0.0.1/8 scope host lo\n2: eth0    inet {address}/16 scope global eth0\n"
    return Output(0, f"{lines}3: eth1    inet {machine.second}/24 scope global eth1\n" if machine.second else lines)


def show_links(machine: Machine, rest: list[str], stdin: str) -> Output:
    lines = (
        "1: lo: <LOOPBACK,UP> mtu 65536 state UNKNOWN",
        "2: eth0: <BROADCAST,UP> mtu 1500 state UP",
        "3: eth1: <BROADCAST,UP> mtu 1500 state UP",
    )
    return Output(0, "".join(f"{line}\n" for line in lines))


def show_routes(machine: Machine, rest: list[str], stdin: str) -> Output:
    address = machine.lab_host.address
    network = ipaddress.ip_network(f"{address}/16", strict=False)
    return Output(0, f"{network} dev eth0 proto kernel scope link src {address}\n")


def show_groups(machine: Machine, rest: list[str], stdin: str) -> Output:
    return Output(0, " ".join(sorted(machine.groups)) + "\n")


def show_iptables(machine: Machine, rest: list[str], stdin: str) -> Output:
    return Output(0, "iptables v1.8.9 (nf_tables)\n")


def show_store_connections(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Show the connections to the key-value store on this host: those of running agents."""
    if "consulnode01" not in machine.containers or not machine.containers["consulnode01"].running:
        return Output()
    agents = (
        other.lab_host.address
        for other in machine.world.machines.values()
        if other.dockerd.version and (agent := other.containers.get("swarm-agent")) and agent.running
    )
    return Output(0, "".join(f"0 0 {machine.lab_host.address}:8500 {address}:40000\n" for address in agents))


def show_lock_holder(machine: Machine, rest: list[str], stdin: str) -> Output:
    return Output(0, "4711 apt-get\n" if machine.units.is_running("imker-upgrade.service") else "")


def show_unreadable_files(machine: Machine, rest: list[str], stdin: str) -> Output:
    return Output(0, "".join(f"{path}\n" for path in rest if path and path not in machine.disk.texts))
