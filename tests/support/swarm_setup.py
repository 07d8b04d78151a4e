"""Create a swarm of simulated hosts in swarm mode, without any classic Swarm."""

from collections.abc import Mapping

from imker.protocol.commands import Role
from jobs.execute.polling import wait_for
from lab.fleet import daemon_option_files
from lab.simulated.engine_versions import PACKAGE_VERSIONS
from lab.simulated.fleet import Fleet
from lab.simulated.machine import APT_SOURCE_PATH
from lab.simulated.nodes import Node
from lab.simulated.parts import Package


def create_swarm(fleet: Fleet, roles: Mapping[str, Role], component: str = "main") -> None:
    """Create a swarm of these hosts. `roles`: the first manager first; `component`: of apt, whose Engine they run."""
    swarm, (first, *_) = fleet.world.swarm, roles
    for name, role in roles.items():
        machine = fleet[name]
        for path, text in daemon_option_files.option_files(machine.lab_host, classic=False).items():
            machine.disk.write(path, text)
        source = machine.disk.texts[APT_SOURCE_PATH]
        machine.disk.write(APT_SOURCE_PATH, source.replace(" main", f" {component}"))
        machine.packages.update({key: Package(value) for key, value in PACKAGE_VERSIONS["2016"][component].items()})
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


def start_service(fleet: Fleet, name: str, replicas: int | None = 1, constraints: tuple[str, ...] = ()) -> None:
    """Create a service and wait until its tasks run. `replicas`: None for a global service."""
    orchestrator, (manager, *_) = fleet.world.swarm.services.orchestrator, fleet.world.swarm.nodes.managers()
    orchestrator.registry.add("web:1")
    assert manager.machine is not None
    template = {"ContainerSpec": {"Image": "web:1"}, "Placement": {"Constraints": list(constraints)}}
    mode = {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}}
    with fleet.world.swarm.services_of(manager.machine) as services:
        services.create({"Name": name, "TaskTemplate": template, "Mode": mode})
    assert wait_for(lambda: _is_running(fleet, name), 10)


def task_hosts(fleet: Fleet, name: str) -> list[str]:
    """Return the names of the hosts with a running task of the service."""
    swarm = fleet.world.swarm
    with swarm.mutex:
        swarm.services.orchestrator.advance()
        service = swarm.services.find(name)
        running = [task for task in swarm.services.orchestrator.tasks_of(service) if task.state == "running"]
        return sorted(swarm.nodes[task.node].hostname for task in running if task.desired == "running")


def _is_running(fleet: Fleet, name: str) -> bool:
    hosts = task_hosts(fleet, name)
    service = fleet.world.swarm.services.find(name)
    return len(hosts) >= int(
        (service.spec["Mode"].get("Replicated") or {}).get("Replicas", len(fleet.world.swarm.nodes))
    )
