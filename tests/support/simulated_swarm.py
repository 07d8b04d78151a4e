"""Form a swarm of simulated hosts at once, without migrating them, and fill it with services."""

from typing import Any

from lab.simulated.fleet import Fleet


def form_swarm(fleet: Fleet, managers: int = 1) -> None:
    """Make all hosts nodes of one swarm, the first ones managers."""
    first, *others = fleet.world.machines.values()
    for machine in (first, *others):
        machine.dockerd.live_restore = machine.dockerd.has_cluster_options = False
    swarm = fleet.world.swarm
    swarm.init(first)
    for number, machine in enumerate(others, 2):
        token = swarm.tokens["Manager" if number <= managers else "Worker"]
        swarm.join(machine, {"RemoteAddrs": [f"{first.address}:2377"], "JoinToken": token})
        swarm.finish_join(machine)


def service_spec(name: str, image: str = "nginx:1.11", replicas: int = 2, **more: Any) -> dict[str, Any]:
    """Return the Spec of a service. `more`: keys of the Spec, "task" for more keys of its TaskTemplate."""
    task = {"ContainerSpec": {"Image": image}, **more.pop("task", {})}
    base = {"Name": name, "Labels": {}, "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": replicas}}}
    return {**base, "UpdateConfig": {"Parallelism": 1}, **more}


def add_service(fleet: Fleet, name: str, image: str = "nginx:1.11", replicas: int = 2, **more: Any) -> None:
    """Create a service as another user would."""
    first = next(iter(fleet.world.machines.values()))
    with fleet.world.swarm.services_of(first) as services:
        services.create(service_spec(name, image, replicas, **more))


def change_service(fleet: Fleet, name: str, image: str) -> None:
    """Give a service another image as another user would."""
    first = next(iter(fleet.world.machines.values()))
    with fleet.world.swarm.services_of(first) as services:
        document = services.show_service(name)
        document["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = image
        services.update(name, document["Version"]["Index"], document["Spec"], "")


def show_service(fleet: Fleet, name: str) -> dict[str, Any]:
    """Return a service as a manager's Engine API shows it."""
    first = next(iter(fleet.world.machines.values()))
    with fleet.world.swarm.services_of(first) as services:
        return services.show_service(name)
