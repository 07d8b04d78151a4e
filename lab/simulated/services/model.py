"""Services and tasks of a simulated swarm, and their form in the Engine API."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, Any]
LIVE = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running")
FINISHED = ("complete", "shutdown", "failed", "rejected", "orphaned", "remove")


@dataclass
class Task:
    """A task. `due`: monotonic time of its next change. `template`, `spec_version`: of its service when it was made."""

    id: str
    service: str
    slot: int
    template: Spec
    ports: tuple[tuple[int, str], ...]
    spec_version: int
    due: float
    node: str = ""
    state: str = "new"
    desired: str = "running"
    message: str = "created"
    error: str = ""
    exit_code: int | None = None
    changed_at: float = field(default_factory=time.time)
    began_at: float = 0.0  # monotonic time since which it runs
    version_index: int = 1

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def place(self) -> str:
        return str(self.slot) if self.slot else self.node

    def change(self, state: str, message: str = "", error: str = "", exit_code: int | None = None) -> None:
        self.state, self.message, self.error, self.exit_code = state, message or state, error, exit_code
        self.changed_at = time.time()


@dataclass
class Update:
    """The state of a service's update, None for none. `failed`: IDs of new tasks that failed during it."""

    state: str
    message: str
    started_at: float = field(default_factory=time.time)
    next_at: float = 0.0  # monotonic time of the next replacement
    last_at: float = 0.0
    failed: set[str] = field(default_factory=set)


@dataclass
class Service:
    """A service. `dirty_version`: the spec version from which tasks are of the current template."""

    id: str
    spec: Spec
    version_index: int
    spec_version: int
    previous_spec: Spec | None = None
    dirty_version: int = 0
    update: Update | None = None
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    removed: bool = False

    @property
    def name(self) -> str:
        return str(self.spec["Name"])

    @property
    def mode(self) -> str:
        return str(next(iter(self.spec.get("Mode") or ("Replicated",))))

    @property
    def mode_spec(self) -> Spec:
        return dict((self.spec.get("Mode") or {}).get(self.mode) or {})

    @property
    def replicas(self) -> int:
        count = self.mode_spec.get("TotalCompletions" if self.mode == "ReplicatedJob" else "Replicas")
        return 1 if count is None else int(count)

    @property
    def template(self) -> Spec:
        return dict(self.spec.get("TaskTemplate") or {})

    @property
    def image(self) -> str:
        return str((self.template.get("ContainerSpec") or {}).get("Image") or "")

    @property
    def ports(self) -> list[Spec]:
        return list((self.spec.get("EndpointSpec") or {}).get("Ports") or ())

    @property
    def host_ports(self) -> tuple[tuple[int, str], ...]:
        return tuple(
            (int(port.get("PublishedPort") or 0), str(port.get("Protocol") or "tcp"))
            for port in self.ports
            if port.get("PublishMode") == "host" and port.get("PublishedPort")
        )

    @property
    def ingress_ports(self) -> set[tuple[int, str]]:
        return {
            (int(port.get("PublishedPort") or 0), str(port.get("Protocol") or "tcp"))
            for port in self.ports
            if port.get("PublishMode", "ingress") == "ingress" and port.get("PublishedPort")
        }


def reservations(template: Mapping[str, Any]) -> tuple[int, int]:
    """Return the reserved memory and the reserved processor time."""
    reserved = (template.get("Resources") or {}).get("Reservations") or {}
    return int(reserved.get("MemoryBytes") or 0), int(reserved.get("NanoCPUs") or 0)


def service_to_api(service: Service, tasks: list[Task], with_status: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "ID": service.id,
        "Version": {"Index": service.version_index},
        "CreatedAt": timestamp(service.created_at),
        "UpdatedAt": timestamp(service.updated_at),
        "Spec": service.spec,
        "Endpoint": {
            "Spec": service.spec.get("EndpointSpec") or {},
            **({"Ports": service.ports} if service.ports else {}),
        },
    }
    if service.previous_spec is not None:
        document["PreviousSpec"] = service.previous_spec
    if service.update:
        document["UpdateStatus"] = {
            "State": service.update.state,
            "StartedAt": timestamp(service.update.started_at),
            "Message": service.update.message,
        }
    if with_status:
        desired = [task for task in tasks if task.desired in ("running", "complete") and task.state != "complete"]
        document["ServiceStatus"] = {
            "RunningTasks": sum(task.state == "running" and task.desired != "shutdown" for task in tasks),
            "DesiredTasks": len(desired) if service.mode != "Replicated" else service.replicas,
            "CompletedTasks": sum(task.state == "complete" for task in tasks),
        }
    return document


def task_to_api(task: Task) -> dict[str, Any]:
    container = {"ContainerID": f"{task.id}c", "PID": 0, "ExitCode": task.exit_code or 0}
    ports = [
        {"PublishedPort": port, "TargetPort": port, "Protocol": protocol, "PublishMode": "host"}
        for port, protocol in task.ports
    ]
    ran = task.began_at > 0 or task.exit_code is not None
    return {
        "ID": task.id,
        "Version": {"Index": task.version_index},
        "CreatedAt": timestamp(task.changed_at),
        "UpdatedAt": timestamp(task.changed_at),
        "Spec": task.template,
        "ServiceID": task.service,
        **({"Slot": task.slot} if task.slot else {}),
        **({"NodeID": task.node} if task.node else {}),
        "Status": {
            "Timestamp": timestamp(task.changed_at),
            "State": task.state,
            "Message": task.message,
            **({"Err": task.error} if task.error else {}),
            **({"ContainerStatus": container} if ran else {}),
            "PortStatus": {"Ports": ports} if ports and task.state == "running" else {},
        },
        "DesiredState": task.desired,
    }


def timestamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e9):09d}Z"
