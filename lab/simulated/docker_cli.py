"""Simulate the docker command of a host, and dockerd's check of options."""

import json
from typing import Any

from lab.simulated.engine_errors import EngineError
from lab.simulated.engine_versions import api_version, major_minor
from lab.simulated.machine import Machine
from lab.simulated.output import Output
from lab.simulated.parts import Container

DAEMON_UNREACHABLE = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
)


def engine_info(machine: Machine) -> dict[str, Any]:
    """Return what the Engine reports about itself, through the API and `docker info`."""
    running = sum(container.running for container in machine.containers.values())
    info: dict[str, Any] = {
        "ID": machine.name,
        "Name": machine.name,
        "ServerVersion": machine.dockerd.version,
        "Driver": "overlay2",
        "Containers": len(machine.containers),
        "ContainersRunning": running,
        "LiveRestoreEnabled": machine.dockerd.live_restore,
    }
    if major_minor(machine.dockerd.version) >= (1, 12):
        info["Swarm"] = machine.world.swarm.local_info(machine)
    return info


def engine_versions_of(machine: Machine) -> dict[str, Any]:
    version = machine.dockerd.version
    return {
        "Version": version,
        "ApiVersion": api_version(version),
        "MinAPIVersion": "1.12",
        "Os": "linux",
        "Arch": "amd64",
    }


def validate_options(machine: Machine, rest: list[str], stdin: str) -> Output:
    if major_minor(machine.dockerd.installed_version()) < (23, 0):
        return Output(125, "", "unknown flag: --validate\n")
    problem = machine.dockerd.refusal()
    return Output(1, "", f"{problem}\n") if problem else Output(0, "", "configuration OK\n")


def list_containers(machine: Machine, rest: list[str], stdin: str) -> Output:
    if error := _unavailable(machine):
        return error
    containers = [container for container in machine.containers.values() if container.running or "-aq" in rest]
    return Output(0, "".join(f"{container.id[:12] if '-aq' in rest else container.name}\n" for container in containers))


def inspect_containers(machine: Machine, rest: list[str], stdin: str) -> Output:
    if error := _unavailable(machine):
        return error
    containers = [container for word in rest if (container := _find_container(machine, word))]
    missing = [word for word in rest if _find_container(machine, word) is None]
    errors = "".join(f"Error: No such object: {word}\n" for word in missing)
    return Output(1 if missing else 0, json.dumps([_container_details(container) for container in containers]), errors)


def inspect_all(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Inspect all containers. Print nothing if there are none."""
    if error := _unavailable(machine):
        return error
    return inspect_containers(machine, list(machine.containers), stdin) if machine.containers else Output()


def print_engine_info(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Print the Engine's information, or only its version if its command cannot print more in a format.

    Print nothing if the Engine's API has answered.
    """
    if rest[0]:
        return Output()
    info = show_info(machine, ["--format", "{{json .}}"], stdin)
    return Output(0, json.dumps({"ServerVersion": machine.dockerd.version})) if info.exit_status == 125 else info


def list_networks(machine: Machine, rest: list[str], stdin: str) -> Output:
    return _unavailable(machine) or Output()


def _container_details(container: Container) -> dict[str, Any]:
    bindings = {f"{port.split(':')[1]}/tcp": [{"HostPort": port.split(":")[0]}] for port in container.ports}
    return {
        "Id": container.id,
        "Name": f"/{container.name}",
        "Config": {"Image": container.image},
        "State": {"Running": container.running},
        "HostConfig": {"RestartPolicy": {"Name": container.restart}, "PortBindings": bindings},
        "NetworkSettings": {"Networks": {"bridge": {}}},
    }


def show_info(machine: Machine, rest: list[str], stdin: str) -> Output:
    if error := _unavailable(machine):
        return error
    if "--format" in rest and major_minor(machine.dockerd.version) < (1, 13):
        return Output(125, "", "flag provided but not defined: --format\n")
    return Output(
        0, json.dumps(engine_info(machine)) if "{{json .}}" in rest else f"Server Version: {machine.dockerd.version}"
    )


def show_version(machine: Machine, rest: list[str], stdin: str) -> Output:
    return _unavailable(machine) or Output(0, f"{machine.dockerd.version}\n")


def show_logs(machine: Machine, rest: list[str], stdin: str) -> Output:
    return _unavailable(machine) or Output(0, "", "the last words of its process\n")


def remove_containers(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Remove containers. Without -f, refuse running ones."""
    if error := _unavailable(machine):
        return error
    errors = []
    for word in (word for word in rest if word != "-f"):
        container = _find_container(machine, word)
        if container is None:
            errors.append(f"Error: No such container: {word}\n")
        elif container.running and "-f" not in rest:
            errors.append(f"Error response from daemon: cannot remove container {word}: container is running\n")
        else:
            del machine.containers[container.name]
    # With -f, newer clients ignore missing containers.
    return Output(1 if errors and "-f" not in rest else 0, "", "".join(errors))


def stop_containers(machine: Machine, rest: list[str], stdin: str) -> Output:
    return _change_each(machine, rest, lambda container: setattr(container, "running", False))


def start_containers(machine: Machine, rest: list[str], stdin: str) -> Output:
    failing = [
        word
        for word in rest
        if (container := _find_container(machine, word)) and not machine.dockerd.can_run(container)
    ]
    if failing and machine.dockerd.version:
        return Output(1, "", "Error response from daemon: OCI runtime create failed: exec: not found\n")
    return _change_each(machine, rest, lambda container: setattr(container, "running", True))


def leave_swarm(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Leave the swarm if the host is this node."""
    if error := _unavailable(machine):
        return error
    if machine.world.swarm.local_info(machine)["NodeID"] != rest[2]:
        return Output()
    try:
        machine.world.swarm.leave(machine, force=False)
    except EngineError as refused:
        return Output(1, "", f"Error response from daemon: {refused.message}\n")
    return Output(0, "Node left the swarm.\n")


def update_restart_policy(machine: Machine, rest: list[str], stdin: str) -> Output:
    policy = next(word.split("=")[1] for word in rest if word.startswith("--restart="))
    names = [word for word in rest if not word.startswith("-")]
    return _change_each(machine, names, lambda container: setattr(container, "restart", policy))


def _change_each(machine: Machine, names: list[str], change: Any) -> Output:
    if error := _unavailable(machine):
        return error
    for name in names:
        container = _find_container(machine, name)
        if container is None:
            return Output(1, "", f"Error response from daemon: No such container: {name}\n")
        change(container)
    return Output(0, "\n".join(names) + "\n")


def _find_container(machine: Machine, word: str) -> Container | None:
    matches = (
        container
        for container in machine.containers.values()
        if container.name == word or container.id.startswith(word)
    )
    return next(matches, None)


def _unavailable(machine: Machine) -> Output | None:
    """Return the error of a docker command if it is missing or the daemon is down.

    Debian's docker.io 26 only recommends the package with the command.
    """
    if "docker-cli" not in machine.packages and major_minor(machine.dockerd.installed_version()) >= (26, 0):
        return Output(127, "", "docker: command not found\n")
    return None if machine.dockerd.version else Output(1, "", DAEMON_UNREACHABLE)
