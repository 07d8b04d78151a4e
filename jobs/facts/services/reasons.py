"""Say in words why tasks of a service wait or fail. Pure.

Words come from what Imker can check itself: constraints, resources, ports, and Docker's well-known errors. Docker's own
text is always added, as it says more than any summary.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from jobs.facts.services.constraints import matches_constraint
from jobs.facts.services.model import Placement, Service, ServiceFacts, Task, TaskNode, has_settings_of
from jobs.facts.services.placement import find_room
from jobs.facts.services.units import format_cpus, format_memory

WAITING = "waiting for a node"
EXIT = re.compile(r"non-zero exit \((\d+)\)")
EXIT_MEANINGS = {
    "125": "the container could not be created", "126": "the command cannot be executed",
    "127": "the command was not found", "137": "killed, often because it is out of memory",
    "139": "segmentation fault", "143": "stopped by SIGTERM",
}  # fmt: skip


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# A pattern of Docker's text -> what it means. The first match counts.
KNOWN_ERRORS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_pattern(r"unhealthy container"), "the health check fails"),
    (_pattern(r"pull access denied|unauthorized|authentication required|no basic auth"),
     "the registry denies access to {image}"),
    (_pattern(r"no such image|manifest unknown|manifest for .* not found|image .* not found|repository .* not found"),
     "image {image} was not found"),
    (_pattern(r"no such host|dial tcp|request canceled|TLS handshake timeout|connection refused.*regist"),
     "image {image} could not be pulled: the registry is unreachable"),
    (_pattern(r"host-mode port already in use|port is already allocated|address already in use|bind for .* failed"),
     "a published port is in use already"),
    (_pattern(r"bind source path does not exist"), "a mounted folder does not exist on the node"),
    (_pattern(r"executable file not found|no such file or directory"), "the command was not found in the image"),
    (_pattern(r"network .* not found|could not find network"), "a network was not found"),
    (_pattern(r"no space left on device"), "the node's disk is full"),
    (_pattern(r"unsupported platform|exec format error|no matching manifest"),
     "the image is not for the node's platform"),
    (_pattern(r"secret|config .*not found"), "a secret or config was not found"),
)  # fmt: skip


@dataclass(frozen=True)
class Why:
    """Why tasks do not run. `text`: in words; `docker_text`: Docker's own, whole, "" for none; `tasks`: how many."""

    text: str
    docker_text: str = ""
    tasks: int = 1


def explain_service(service: Service, facts: ServiceFacts) -> tuple[Why, ...]:
    """Return why tasks of the service do not run, the most frequent reason first. () if all run.

    That tasks wait for a node although one fits comes last: they have just been created, and explain no failure.
    """
    by_place = _by_place(facts.tasks_of(service))
    current = [tasks[-1] for tasks in by_place if not tasks[-1].is_running and not _is_ended(service, tasks[-1])]
    failed = [task for tasks in by_place if tasks[-1] in current for task in tasks if task.has_failed]
    failed = [task for task in failed if has_settings_of(service, task)] or failed
    failing_places = {task.place for task in failed}
    waiting = [task for task in current if (task.error and not task.has_failed) or task.place not in failing_places]
    waiting = [task for task in waiting if not task.node]
    names = {node.node.id: node.node.hostname for node in facts.nodes}
    all_reasons = (
        *_explain_waiting(service, waiting, facts),
        *_group(_explain_failure(task, names) for task in failed),
    )
    if service.is_global and not service.is_job and not current and service.desired == 0:
        all_reasons = (
            *all_reasons,
            *(Why(text, "", 0) for text in placement_reasons(service.id, service.placement, facts)),
        )
    return tuple(sorted(all_reasons, key=lambda why: (why.text == WAITING, -why.tasks)))


def placement_reasons(service_id: str, placement: Placement, facts: ServiceFacts) -> tuple[str, ...]:
    """Return in words why no further task fits on any node, () if one fits."""
    room = find_room(service_id, placement, facts.nodes, facts.tasks)
    if room.fitting:
        return ()
    obstacles = {each.obstacle for each in room.nodes}
    texts: list[str] = [*_unmatched(placement, facts.nodes)] if "constraint" in obstacles else []
    count, free = len(facts.nodes), [each for each in room.nodes if each.obstacle in ("memory", "cpu")]
    if "memory" in obstacles:
        best = max(free, key=lambda each: each.free.memory)
        need = format_memory(placement.reserved.memory)
        most = f"{format_memory(max(0, best.free.memory))} on {best.node.node.hostname}"
        texts.append(f"a task reserves {need} of memory; the most that is free is {most}")
    if "cpu" in obstacles:
        best = max(free, key=lambda each: each.free.nano_cpus)
        need = format_cpus(placement.reserved.nano_cpus)
        most = f"{format_cpus(max(0, best.free.nano_cpus))} on {best.node.node.hostname}"
        texts.append(f"a task reserves {need} CPUs; the most that is free is {most}")
    for obstacle, text in (
        ("port", "port {detail} is in use on {n} of {count} nodes"),
        ("platform", "the image is not for the platform of {n} of {count} nodes ({detail})"),
        ("max per node", "{n} of {count} nodes have the maximum of {detail} tasks"),
        ("not active", "{n} of {count} nodes are not active"),
        ("down", "{n} of {count} nodes are not ready"),
    ):
        on = [each for each in room.nodes if each.obstacle == obstacle]
        if on:
            texts.append(text.format(detail=on[0].detail, n=len(on), count=count))
    return tuple(texts) or ("the swarm has no nodes",)


def explain_error(error: str, image: str = "") -> str:
    """Return what Docker's error on a task means in a few words, "" if it is not a known one."""
    for pattern, text in KNOWN_ERRORS:
        if pattern.search(error):
            return text.format(image=image or "of the service")
    if match := EXIT.search(error):
        meaning = EXIT_MEANINGS.get(match[1], "")
        return f"the container exits with code {match[1]}" + (f" ({meaning})" if meaning else "")
    return ""


def _explain_waiting(service: Service, waiting: Sequence[Task], facts: ServiceFacts) -> tuple[Why, ...]:
    """Return why tasks wait for a node."""
    if not waiting:
        return ()
    docker_text = next((task.error for task in reversed(waiting) if task.error), "")
    texts = placement_reasons(service.id, service.placement, facts)
    summary = "no node fits: " + "; ".join(texts) if texts else WAITING
    return (Why(summary, docker_text, len(waiting)),)


def _unmatched(placement: Placement, nodes: Sequence[TaskNode]) -> Iterable[str]:
    """Yield the constraints that no node meets; if there is none, that no node meets all of them."""
    counts = {text: sum(matches_constraint(node, text) for node in nodes) for text in placement.constraints}
    alone = [text for text, matches in counts.items() if not matches]
    for text in alone:
        yield f"constraint {text} matches 0 of {len(nodes)} nodes"
    if not alone:
        listed = ", ".join(f"{text} matches {matches} of {len(nodes)}" for text, matches in counts.items())
        yield f"no active node with room meets all constraints ({listed})"


def _explain_failure(task: Task, names: dict[str, str]) -> tuple[str, Task]:
    """Return the reason of a failed task."""
    meaning = explain_error(task.error, task.image)
    place = f" on {names[task.node]}" if task.node in names and "node" in meaning else ""
    exit_text = f"the container exits with code {task.exit_code}" if task.exit_code else ""
    return (meaning or exit_text or f"the task is {task.state}") + place, task


def _group(reasons: Iterable[tuple[str, Task]]) -> tuple[Why, ...]:
    """Return each reason once, with Docker's newest text and how often it occurred."""
    ordered = sorted(reasons, key=lambda reason: (reason[0], reason[1].at))
    groups = ((text, [task for _, task in group]) for text, group in groupby(ordered, key=lambda reason: reason[0]))
    return tuple(
        Why(
            text + (f", {len(tasks)} times" if len(tasks) > 1 else ""),
            next((task.error for task in reversed(tasks) if task.error), tasks[-1].message),
            len(tasks),
        )
        for text, tasks in groups
    )


def _by_place(tasks: Iterable[Task]) -> list[list[Task]]:
    """Return the tasks that replace each other, oldest first. Places that are no longer wanted are left out."""
    ordered = sorted(tasks, key=lambda task: (task.place, task.at))
    groups = [list(group) for _, group in groupby(ordered, key=lambda task: task.place)]
    return [[*_without_next(group)] for group in groups if any(_is_wanted(task) for task in group)]


def _without_next(tasks: list[Task]) -> list[Task]:
    """Put the task that is wanted now last: it may have started before an older one ended."""
    need = [task for task in tasks if _is_wanted(task)]
    return [*(task for task in tasks if task is not need[-1]), need[-1]]


def _is_wanted(task: Task) -> bool:
    return task.desired_state in ("running", "ready", "accepted", "complete")


def _is_ended(service: Service, task: Task) -> bool:
    return service.is_job and task.state == "complete"
