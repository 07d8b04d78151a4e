"""Create, place, start, restart, and end tasks, until each service has those that it wants.

Nothing runs in the background: `advance` does what is due, and every query calls it first.
"""

import itertools
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.simulated.engine_versions import Pace
from lab.simulated.nodes import Node, Nodes
from lab.simulated.services import updater
from lab.simulated.services.model import Service, Task
from lab.simulated.services.scheduler import choose_node, is_eligible

HISTORY = 5  # finished tasks of a place that are remembered
MAX_ROUNDS = 200  # of one call of `advance`


@dataclass
class Crash:
    """How containers of an image end. `after`: seconds that they run; `error`: Docker's text, "" for the usual one."""

    exit_code: int = 1
    after: float = 0.0
    error: str = ""


@dataclass
class Orchestrator:
    """The services and their tasks by ID.

    `registry`: images that any node can pull; `crashes`: images whose containers end; `nodes`: of the swarm.
    """

    pace: Pace
    nodes: Nodes = field(default_factory=Nodes)
    services: dict[str, Service] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    registry: set[str] = field(default_factory=set)
    crashes: dict[str, Crash] = field(default_factory=dict)
    indices: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    def advance(self) -> None:
        """Do what is due now."""
        if not self.services and not self.tasks:
            return
        now = time.monotonic()
        for _ in range(MAX_ROUNDS):
            if not self._round(now):
                break
        self._forget()

    def tasks_of(self, service: Service) -> list[Task]:
        return [task for task in self.tasks.values() if task.service == service.id]

    def create_task(self, service: Service, slot: int, node: str = "", delay: float = 0.0) -> Task:
        """Create a task. `delay`: seconds that it waits before it starts."""
        due = time.monotonic() + delay
        task = Task(
            secrets.token_hex(13)[:25], service.id, slot, service.template, service.host_ports, service.spec_version,
            due, node, version_index=next(self.indices),
        )  # fmt: skip
        if service.mode.endswith("Job"):
            task.desired = "complete"
        self.tasks[task.id] = task
        return task

    def stop_task(self, task: Task) -> None:
        """End a task that is no longer wanted."""
        task.desired = "shutdown"
        if task.is_live:
            task.change("shutdown", "shutdown")

    def _round(self, now: float) -> bool:
        """Do one thing for each service and task. Return whether anything changed."""
        before = [(task.id, task.state, task.desired, task.node) for task in self.tasks.values()]
        updates = [(service.id, service.update and service.update.state) for service in self.services.values()]
        for service in list(self.services.values()):
            self._end_unwanted(service)
            self._fill_places(service)
            updater.advance(self, service, now)
        for task in list(self.tasks.values()):
            if task.is_live and task.due <= now and task.desired != "shutdown":
                self._step(task, now)
        after = [(task.id, task.state, task.desired, task.node) for task in self.tasks.values()]
        return before != after or updates != [(s.id, s.update and s.update.state) for s in self.services.values()]

    def _end_unwanted(self, service: Service) -> None:
        """End tasks of slots above the number of replicas, and of nodes that do not take them any more.

        The tasks of a node that is down are replaced. They end when it is back.
        """
        for task in self.tasks_of(service):
            if not task.is_live:
                continue
            node = self.nodes.get(task.node)
            is_lost = bool(task.node) and (node is None or not node.is_reachable)
            if is_lost:
                task.desired = "shutdown"  # the state stays what the node reported last
            elif task.desired == "shutdown" or self._is_unwanted(service, task, node):
                self.stop_task(task)

    def _is_unwanted(self, service: Service, task: Task, node: Node | None) -> bool:
        if service.mode == "Replicated" and task.slot > service.replicas:
            return True
        is_drained = node is not None and node.availability == "drain"
        return is_drained or (not task.slot and node is not None and not is_eligible(service, node))

    def _fill_places(self, service: Service) -> None:
        """Create a task in each place that has none, also after a task ended."""
        tasks = self.tasks_of(service)
        by_place: dict[str, list[Task]] = {}
        for task in tasks:
            by_place.setdefault(task.place, []).append(task)
        for slot, node in self._places(service):
            here = by_place.get(str(slot) if slot else node, [])
            if any(task.desired != "shutdown" and (task.is_live or self._stays(service, task, here)) for task in here):
                continue
            ended = [task for task in here if task.state in ("failed", "rejected", "complete")]
            for task in here:
                task.desired = "shutdown"
            delay = self.pace.task_restart if ended and ended[-1] is here[-1] else 0.0
            self.create_task(service, slot, node, delay)

    def _places(self, service: Service) -> Iterable[tuple[int, str]]:
        if service.mode in ("Global", "GlobalJob"):
            return [(0, node.id) for node in self.nodes.values() if is_eligible(service, node)]
        return [(slot, "") for slot in range(1, service.replicas + 1)]

    def _stays(self, service: Service, task: Task, here: list[Task]) -> bool:
        """Return whether a task that ended is not started again."""
        if service.mode.endswith("Job") and task.state == "complete":
            return True
        policy = task.template.get("RestartPolicy") or {}
        condition, attempts = policy.get("Condition", "any"), int(policy.get("MaxAttempts") or 0)
        failures = sum(each.state in ("failed", "rejected") for each in here)
        return condition == "none" or (condition == "on-failure" and task.state == "complete") or (
            bool(attempts) and failures > attempts
        )  # fmt: skip

    def _step(self, task: Task, now: float) -> None:
        """Move a task to its next state."""
        service = self.services.get(task.service)
        if service is None:
            return
        match task.state:
            case "new" | "pending":
                self._assign(service, task, now)
            case "assigned":
                self._start(task, now)
            case "running":
                self._end(service, task, now)

    def _assign(self, service: Service, task: Task, now: float) -> None:
        candidates = [node for node in self.nodes.values() if task.slot or node.id == task.node]
        node, problem = choose_node(service, candidates, [t for t in self.tasks.values() if t is not task])
        if problem:
            if task.state != "pending" or task.error != problem:
                task.change("pending", "pending task scheduling", problem)
            return
        task.node, task.due = node, now + self.pace.task_start
        task.change("assigned", "scheduler assigned task to node")

    def _start(self, task: Task, now: float) -> None:
        image = str((task.template.get("ContainerSpec") or {}).get("Image") or "").partition("@")[0]
        node = self.nodes.get(task.node)
        if not self.has_image(node, image):
            return task.change("rejected", "preparing", f"No such image: {image}")
        crash = self.crashes.get(image)
        if crash and crash.error:
            return task.change("failed", "starting", crash.error)
        task.change("running", "started")
        task.began_at = now
        task.due = now + crash.after if crash else now + self.pace.task_start
        return None

    def has_image(self, node: Node | None, image: str) -> bool:
        """Return whether the node has the image or can pull it. Every image has the tag "latest" if it names none."""
        names = {image, f"{image}:latest" if ":" not in image else image.removesuffix(":latest")}
        local = node.machine.images if node and node.machine else frozenset()
        return bool(names & (self.registry | set(local)))

    def _end(self, service: Service, task: Task, now: float) -> None:
        image = str((task.template.get("ContainerSpec") or {}).get("Image") or "").partition("@")[0]
        crash = self.crashes.get(image)
        if crash and crash.exit_code:
            error = f"task: non-zero exit ({crash.exit_code})"
            task.change("failed", "started", error, crash.exit_code)
        elif crash or service.mode.endswith("Job"):
            task.change("complete", "finished", exit_code=0)

    def _forget(self) -> None:
        """Remove the oldest finished tasks of each place, and the tasks of removed services."""
        by_place: dict[tuple[str, str], list[Task]] = {}
        for task in list(self.tasks.values()):
            if task.service not in self.services:
                del self.tasks[task.id]
            elif not task.is_live:
                by_place.setdefault((task.service, task.place), []).append(task)
        for tasks in by_place.values():
            for task in tasks[: -HISTORY + 1]:
                self.tasks.pop(task.id, None)
