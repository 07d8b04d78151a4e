"""Define the values of services, tasks, and the nodes that tasks are placed on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jobs.facts.swarm import Node

Mode = Literal["replicated", "global", "replicated-job", "global-job"]
STACK_LABEL = "com.docker.stack.namespace"  # set by `docker stack deploy`, whose next run undoes other changes
FINISHED_STATES = ("complete", "shutdown", "failed", "rejected", "orphaned", "remove")
UPDATING_STATES = ("updating", "rollback_started")


@dataclass(frozen=True)
class Resources:
    """Processor time in billionths of a processor, and memory in bytes."""

    nano_cpus: int = 0
    memory: int = 0


NO_RESOURCES = Resources()


@dataclass(frozen=True)
class ServicePort:
    """A port. `published`: 0 if Docker chooses one; `mode`: "ingress" on every node, "host" on the task's node."""

    target: int
    published: int
    protocol: str
    mode: str

    @property
    def text(self) -> str:
        """Return the port as `docker service ls` shows it, with "host" for a port of the task's node only."""
        published = f"{self.published}→" if self.published else ""
        return f"{published}{self.target}/{self.protocol}" + (" host" if self.mode == "host" else "")


@dataclass(frozen=True)
class UpdateSettings:
    """How tasks are replaced. `parallelism`: 0 for all at once; `delay`: seconds between two of them."""

    parallelism: int = 1
    delay: float = 0.0
    failure_action: str = "pause"
    order: str = "stop-first"


@dataclass(frozen=True)
class Placement:
    """What a task needs of its node.

    `platforms`: (OS, architecture) pairs, one of which must match, () for any; `max_per_node`: 0 for no limit.
    """

    constraints: tuple[str, ...] = ()
    platforms: tuple[tuple[str, str], ...] = ()
    max_per_node: int = 0
    reserved: Resources = NO_RESOURCES
    host_ports: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Service:
    """A service as a manager lists it.

    `image`: without its digest; `replicas`: what its mode asks for, None for a global service; `running` and `desired`:
    tasks, -1 if the manager did not count them; `completed`: tasks of a job that ended well; `stack`: the stack that it
    was deployed with, "" for none; `update_state`: "" if it was never updated; `version`: index that an update names;
    `local_data`: volumes and folders of its tasks that each node has for itself;
    `force_update`: how often it was restarted.
    """

    id: str
    name: str
    image: str
    mode: Mode
    replicas: int | None
    version: int = 0
    stack: str = ""
    ports: tuple[ServicePort, ...] = ()
    placement: Placement = Placement()
    update_state: str = ""
    update_message: str = ""
    update: UpdateSettings = UpdateSettings()
    rollback: UpdateSettings = UpdateSettings()
    has_previous_spec: bool = False
    running: int = -1
    desired: int = -1
    completed: int = 0
    restart_attempts: int = 0
    local_data: tuple[str, ...] = ()
    mounts_docker_socket: bool = False
    force_update: int = 0

    @property
    def is_job(self) -> bool:
        return self.mode.endswith("-job")

    @property
    def is_global(self) -> bool:
        return self.mode.startswith("global")

    @property
    def is_updating(self) -> bool:
        return self.update_state in UPDATING_STATES

    @property
    def is_update_stopped(self) -> bool:
        return self.update_state in ("paused", "rollback_paused")

    @property
    def was_rolled_back(self) -> bool:
        """Return whether its latest update was undone, by Docker or by a user."""
        return self.update_state == "rollback_completed"

    @property
    def is_healthy(self) -> bool:
        """Return whether all tasks run that should, and no update has stopped halfway."""
        if self.is_job:
            return self.completed >= (self.replicas or 0) or self.running > 0
        return self.running >= self.desired and not self.is_update_stopped


@dataclass(frozen=True)
class Task:
    """A task as a manager lists it.

    `node`: its node's ID, "" while it waits for one; `message` and `error`: Docker's own words; `exit_code`: of its
    container, None if it has not ended; `at`: UNIX seconds of its state; `image`: without the digest.
    """

    id: str
    service: str
    node: str
    slot: int
    state: str
    desired_state: str
    message: str = ""
    error: str = ""
    exit_code: int | None = None
    at: float = 0.0
    image: str = ""
    reserved: Resources = NO_RESOURCES
    host_ports: tuple[tuple[int, str], ...] = ()
    force_update: int = 0

    @property
    def is_running(self) -> bool:
        return self.state == "running" and self.desired_state == "running"

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED_STATES

    @property
    def has_failed(self) -> bool:
        return self.state in ("failed", "rejected", "orphaned")

    @property
    def place(self) -> str:
        """Return what tasks that replace each other share: the slot, or the node of a global service."""
        return str(self.slot) if self.slot else self.node


@dataclass(frozen=True)
class TaskNode:
    """A node with what tasks find there. `labels`: of the node; `engine_labels`: of its daemon."""

    node: Node
    labels: Mapping[str, str] = field(default_factory=dict)
    engine_labels: Mapping[str, str] = field(default_factory=dict)
    os: str = ""
    architecture: str = ""
    resources: Resources = NO_RESOURCES

    @property
    def takes_tasks(self) -> bool:
        return self.node.state == "ready" and self.node.availability == "active"


@dataclass(frozen=True)
class ServiceFacts:
    """The services of a swarm as the manager `answered_by` (a host name) reports them.

    `tasks`: of the services that were asked for; `nodes`: all nodes.
    """

    answered_by: str
    services: tuple[Service, ...]
    tasks: tuple[Task, ...] = ()
    nodes: tuple[TaskNode, ...] = ()

    def tasks_of(self, service: Service) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.service == service.id)


def has_settings_of(service: Service, task: Task) -> bool:
    """Return whether the task was made from the service's current image and after its last restart."""
    return (task.image, task.force_update) == (service.image, service.force_update)
