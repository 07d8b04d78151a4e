"""Create a swarm of simulated hosts in swarm mode, without any classic Swarm."""

from collections.abc import Mapping

from imker.protocol.commands import Role
from lab.fleet import daemon_option_files
from lab.simulated.fleet import Fleet
from lab.simulated.nodes import Node


def create_swarm(fleet: Fleet, roles: Mapping[str, Role]) -> None:
    """Create a swarm of these hosts on their old Engines. `roles`: of the hosts, the first manager first."""
    swarm, (first, *_) = fleet.world.swarm, roles
    for name, role in roles.items():
        machine = fleet[name]
        for path, text in daemon_option_files.option_files(machine.lab_host, classic=False).items():
            machine.disk.write(path, text)
        for classic, *_rest in machine.lab_host.classic_containers:
            machine.containers.pop(classic, None)
        assert machine.dockerd.restart()
        if name == first:
            swarm.init(machine)
            continue
        manager = f"{fleet[first].address}:2377"
        swarm.join(machine, {"RemoteAddrs": [manager], "JoinToken": swarm.tokens[role.capitalize()]})
        swarm.finish_join(machine)


def node_of(fleet: Fleet, name: str) -> Node:
    """Return the node of a host, also of one that left or is down."""
    (node,) = [node for node in fleet.world.swarm.nodes.values() if node.hostname == name]
    return node
