"""The docker command on a simulated host, and its daemon's check of options."""

import json
from typing import Any

from lab.simulated.dialect import api_of, number
from lab.simulated.machine import Container, Machine
from lab.simulated.said import Said

AWAY = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"


def about(machine: Machine) -> dict[str, Any]:
    """What the Engine says of itself, over its API and by its command."""
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
    if number(machine.dockerd.version) >= (1, 12):
        info["Swarm"] = machine.world.swarm.info(machine)
    return info


def versions(machine: Machine) -> dict[str, Any]:
    version = machine.dockerd.version
    return {"Version": version, "ApiVersion": api_of(version), "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64"}


def validate(machine: Machine, rest: list[str], stdin: str) -> Said:
    if number(machine.dockerd.installed()) < (23, 0):
        return Said(125, "", "unknown flag: --validate\n")
    why = machine.dockerd.refusal()
    return Said(1, "", f"{why}\n") if why else Said(0, "", "configuration OK\n")


def ps(machine: Machine, rest: list[str], stdin: str) -> Said:
    if away := _away(machine):
        return away
    found = [one for one in machine.containers.values() if one.running or "-aq" in rest]
    return Said(0, "".join(f"{one.id[:12] if '-aq' in rest else one.name}\n" for one in found))


def inspect(machine: Machine, rest: list[str], stdin: str) -> Said:
    if away := _away(machine):
        return away
    found = [one for word in rest if (one := _container(machine, word))]
    missing = [word for word in rest if _container(machine, word) is None]
    errors = "".join(f"Error: No such object: {word}\n" for word in missing)
    return Said(1 if missing else 0, json.dumps([_inspected(one) for one in found]), errors)


def _inspected(one: Container) -> dict[str, Any]:
    bindings = {f"{port.split(':')[1]}/tcp": [{"HostPort": port.split(":")[0]}] for port in one.ports}
    return {
        "Id": one.id,
        "Name": f"/{one.name}",
        "Config": {"Image": one.image},
        "State": {"Running": one.running},
        "HostConfig": {"RestartPolicy": {"Name": one.restart}, "PortBindings": bindings},
        "NetworkSettings": {"Networks": {"bridge": {}}},
    }


def info(machine: Machine, rest: list[str], stdin: str) -> Said:
    if away := _away(machine):
        return away
    if "--format" in rest and number(machine.dockerd.version) < (1, 13):
        return Said(125, "", "flag provided but not defined: --format\n")
    return Said(0, json.dumps(about(machine)) if "{{json .}}" in rest else f"Server Version: {machine.dockerd.version}")


def version(machine: Machine, rest: list[str], stdin: str) -> Said:
    return _away(machine) or Said(0, f"{machine.dockerd.version}\n")


def logs(machine: Machine, rest: list[str], stdin: str) -> Said:
    return _away(machine) or Said(0, "", "the last words of its process\n")


def remove(machine: Machine, rest: list[str], stdin: str) -> Said:
    """Without -f, only what does not run."""
    if away := _away(machine):
        return away
    errors = []
    for word in (word for word in rest if word != "-f"):
        one = _container(machine, word)
        if one is None:
            errors.append(f"Error: No such container: {word}\n")
        elif one.running and "-f" not in rest:
            errors.append(f"Error response from daemon: cannot remove container {word}: container is running\n")
        else:
            del machine.containers[one.name]
    # With -f, newer clients pass over what is not there.
    return Said(1 if errors and "-f" not in rest else 0, "", "".join(errors))


def stop(machine: Machine, rest: list[str], stdin: str) -> Said:
    return _each(machine, rest, lambda one: setattr(one, "running", False))


def start(machine: Machine, rest: list[str], stdin: str) -> Said:
    broken = [word for word in rest if (one := _container(machine, word)) and not machine.dockerd.runs(one)]
    if broken and machine.dockerd.version:
        return Said(1, "", "Error response from daemon: OCI runtime create failed: exec: not found\n")
    return _each(machine, rest, lambda one: setattr(one, "running", True))


def update(machine: Machine, rest: list[str], stdin: str) -> Said:
    policy = next(word.split("=")[1] for word in rest if word.startswith("--restart="))
    names = [word for word in rest if not word.startswith("-")]
    return _each(machine, names, lambda one: setattr(one, "restart", policy))


def _each(machine: Machine, names: list[str], change: Any) -> Said:
    if away := _away(machine):
        return away
    for name in names:
        one = _container(machine, name)
        if one is None:
            return Said(1, "", f"Error response from daemon: No such container: {name}\n")
        change(one)
    return Said(0, "\n".join(names) + "\n")


def _container(machine: Machine, word: str) -> Container | None:
    found = (one for one in machine.containers.values() if one.name == word or one.id.startswith(word))
    return next(found, None)


def _away(machine: Machine) -> Said | None:
    """Debian's docker.io 26 only recommends the package with the command."""
    if "docker-cli" not in machine.packages and number(machine.dockerd.installed()) >= (26, 0):
        return Said(127, "", "docker: command not found\n")
    return None if machine.dockerd.version else Said(1, "", AWAY)
