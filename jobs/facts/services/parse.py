"""Parse services, tasks, and their nodes from the Engine API. Pure.

Only what is shown or decides something is read: environment variables, commands, and secrets are not.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from imker.text import one_line
from jobs.facts.services.model import (
    STACK_LABEL,
    Mode,
    Placement,
    Resources,
    Service,
    ServicePort,
    Task,
    TaskNode,
    UpdateSettings,
)
from jobs.facts.swarm import NODE_ID, parse_node

MAX_WORD, MAX_IMAGE, MAX_ENTRIES = 128, 300, 200  # characters, characters, entries of a list
MAX_ERROR = 2000  # characters of Docker's own text on a task
MODES: dict[str, Mode] = {
    "Replicated": "replicated", "Global": "global", "ReplicatedJob": "replicated-job", "GlobalJob": "global-job",
}  # fmt: skip
Document = Mapping[str, Any]


def parse_service(document: Document) -> Service:
    """Parse a service of an answer of /services. Raise ValueError or KeyError for what no manager sends."""
    spec = document["Spec"]
    template, status = _map(spec, "TaskTemplate"), _map(document, "ServiceStatus")
    mode, replicas = _mode(_map(spec, "Mode"))
    update = _map(document, "UpdateStatus")
    ports = _ports((_map(spec, "EndpointSpec")).get("Ports"))
    attempts = _map(template, "RestartPolicy").get("MaxAttempts")
    return Service(
        id=object_id(document["ID"]),
        name=_word(spec["Name"]),
        image=short_image(_map(template, "ContainerSpec").get("Image")),
        mode=mode,
        replicas=replicas,
        version=_number(_map(document, "Version").get("Index")),
        stack=_word(_map(spec, "Labels").get(STACK_LABEL)),
        ports=ports or _ports(_map(document, "Endpoint").get("Ports")),
        placement=_placement(template, ports),
        update_state=_word(update.get("State")),
        update_message=one_line(str(update.get("Message") or ""), MAX_ERROR),
        update=_update_settings(_map(spec, "UpdateConfig")),
        rollback=_update_settings(_map(spec, "RollbackConfig")),
        has_previous_spec=bool(document.get("PreviousSpec")),
        running=_number(status.get("RunningTasks"), -1) if status else -1,
        desired=_number(status.get("DesiredTasks"), -1) if status else -1,
        completed=_number(status.get("CompletedTasks")),
        restart_attempts=_number(attempts),
        local_data=_local_data(_map(template, "ContainerSpec").get("Mounts")),
        mounts_docker_socket=any(map(_is_docker_socket, _list(_map(template, "ContainerSpec").get("Mounts")))),
        force_update=_number(template.get("ForceUpdate")),
    )


def parse_task(document: Document) -> Task:
    """Parse a task of an answer of /tasks. Raise ValueError or KeyError for what no manager sends."""
    status, spec = _map(document, "Status"), _map(document, "Spec")
    container = _map(status, "ContainerStatus")
    state, exit_code = _word(status.get("State")), container.get("ExitCode")
    has_ended = state in ("failed", "complete", "shutdown") and "ExitCode" in container
    ports = _ports(_map(status, "PortStatus").get("Ports"))
    return Task(
        id=object_id(document["ID"]),
        service=_word(document.get("ServiceID")),
        node=_word(document.get("NodeID")),
        slot=_number(document.get("Slot")),
        state=state,
        desired_state=_word(document.get("DesiredState")),
        message=one_line(str(status.get("Message") or ""), MAX_ERROR),
        error=one_line(str(status.get("Err") or ""), MAX_ERROR),
        exit_code=_number(exit_code) if has_ended else None,
        at=parse_time(status.get("Timestamp")),
        image=short_image(_map(spec, "ContainerSpec").get("Image")),
        reserved=_resources(_map(_map(spec, "Resources"), "Reservations")),
        host_ports=_host_ports(ports),
        force_update=_number(spec.get("ForceUpdate")),
    )


def parse_task_node(document: Document) -> TaskNode:
    """Parse a node of an answer of /nodes, with what tasks find there."""
    description = _map(document, "Description")
    platform = _map(description, "Platform")
    return TaskNode(
        node=parse_node(document),
        labels=_labels(_map(document, "Spec")),
        engine_labels=_labels(_map(description, "Engine")),
        os=_word(platform.get("OS")),
        architecture=_word(platform.get("Architecture")),
        resources=_resources(_map(description, "Resources")),
    )


def object_id(value: Any) -> str:
    """Return the ID of a service or a task. Raise ValueError for an invalid one."""
    if not isinstance(value, str) or not NODE_ID.fullmatch(value):
        raise ValueError("invalid ID")
    return value


def short_image(image: Any) -> str:
    """Return "nginx:1.11" for "nginx:1.11@sha256:…"."""
    return one_line(str(image or ""), MAX_IMAGE).partition("@sha256:")[0]


def parse_time(value: Any) -> float:
    """Return UNIX seconds of a time such as "2026-01-02T03:04:05.123456789Z", 0 for none."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", str(value or ""))
    if match is None or match[1].startswith("0001"):
        return 0.0
    zone = "+00:00" if match[3] == "Z" else match[3]
    return datetime.fromisoformat(f"{match[1]}{zone}").timestamp() + float(match[2] or 0)


def _local_data(mounts: Any) -> tuple[str, ...]:
    """Return the volumes of the driver "local" and the mounted folders, without Docker's socket."""
    listed = [mount for mount in _list(mounts) if isinstance(mount, Mapping) and _is_local(mount)]
    sources = (_word(mount.get("Source")) or f"a volume for {_word(mount.get('Target'))}" for mount in listed)
    return tuple(source for source in dict.fromkeys(sources) if not source.endswith("/docker.sock"))


def _is_docker_socket(mount: Any) -> bool:
    return isinstance(mount, Mapping) and _word(mount.get("Source")).endswith("/docker.sock")


def _is_local(mount: Document) -> bool:
    """Return whether each node has the mount's data for itself."""
    driver = _word(_map(_map(mount, "VolumeOptions"), "DriverConfig").get("Name"))
    return mount.get("Type") == "bind" or (mount.get("Type") == "volume" and driver in ("", "local"))


def _mode(mode: Document) -> tuple[Mode, int | None]:
    name = next((name for name in MODES if name in mode), "Replicated")
    mode_spec = _map(mode, name)
    if name.startswith("Global"):
        return MODES[name], None
    key = "Replicas" if name == "Replicated" else "TotalCompletions"
    return MODES[name], _number(mode_spec.get(key), 1 if mode_spec.get(key) is None else 0)


def _placement(template: Document, ports: Sequence[ServicePort]) -> Placement:
    placement = _map(template, "Placement")
    platforms = [each for each in _list(placement.get("Platforms")) if isinstance(each, Mapping)]
    return Placement(
        constraints=tuple(_word(each) for each in _list(placement.get("Constraints"))),
        platforms=tuple((_word(each.get("OS")), _word(each.get("Architecture"))) for each in platforms),
        max_per_node=_number(placement.get("MaxReplicas")),
        reserved=_resources(_map(_map(template, "Resources"), "Reservations")),
        host_ports=_host_ports(ports),
    )


def _ports(ports: Any) -> tuple[ServicePort, ...]:
    return tuple(
        ServicePort(
            _number(port.get("TargetPort")),
            _number(port.get("PublishedPort")),
            _word(port.get("Protocol")) or "tcp",
            _word(port.get("PublishMode")) or "ingress",
        )
        for port in _list(ports)
        if isinstance(port, Mapping)
    )


def _host_ports(ports: Sequence[ServicePort]) -> tuple[tuple[int, str], ...]:
    return tuple((port.published, port.protocol) for port in ports if port.mode == "host" and port.published)


def _update_settings(settings: Document) -> UpdateSettings:
    if not settings:
        return UpdateSettings()
    return UpdateSettings(
        parallelism=_number(settings.get("Parallelism")),
        delay=_number(settings.get("Delay")) / 1e9,
        failure_action=_word(settings.get("FailureAction")) or "pause",
        order=_word(settings.get("Order")) or "stop-first",
    )


def _resources(resources: Document) -> Resources:
    return Resources(_number(resources.get("NanoCPUs")), _number(resources.get("MemoryBytes")))


def _labels(document: Document) -> dict[str, str]:
    labels = _map(document, "Labels")
    return {_word(key): one_line(str(value), MAX_WORD) for key, value in list(labels.items())[:MAX_ENTRIES]}


def _map(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value[:MAX_ENTRIES] if isinstance(value, list) else []


def _number(value: Any, default: int = 0) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return int(value) if is_number else default


def _word(value: Any) -> str:
    return one_line(str(value or ""), MAX_WORD)
