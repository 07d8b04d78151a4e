"""Describe services and tasks as rows of tables. Pure."""

from collections.abc import Iterable

from imker.protocol.service_events import ServiceDetails, ServiceReason, ServiceRow, TaskRow
from jobs.facts.services.model import Service, ServiceFacts, Task, UpdateSettings
from jobs.facts.services.reasons import explain_service
from jobs.facts.services.units import format_cpus, format_memory

MAX_TASKS, MAX_FAILURES = 100, 5  # rows of tasks that are wanted, and of tasks that failed
STATUS_ORDER = ("unhealthy", "paused", "updating", "healthy")


def service_rows(facts: ServiceFacts, services: Iterable[Service]) -> tuple[ServiceRow, ...]:
    """Return the rows of the services, unhealthy ones first."""
    rows = (service_row(service, facts) for service in services)
    return tuple(sorted(rows, key=lambda row: (STATUS_ORDER.index(row.status), row.name)))


def service_row(service: Service, facts: ServiceFacts) -> ServiceRow:
    """Return the row of a service, with the most frequent reason if tasks do not run."""
    status = service_status(service)
    reasons = explain_service(service, facts) if status != "healthy" else ()
    running, desired = counts(service)
    problem = reasons[0].text if reasons else service.update_message if status == "paused" else ""
    ports = tuple(port.text for port in service.ports)
    return ServiceRow(
        service.name, service.mode, running, desired, service.image, ports, service.update_state, status, problem,
        service.stack,
    )  # fmt: skip


def counts(service: Service) -> tuple[int, int]:
    """Return how many tasks run and how many should; of a job, how many completed and how many should."""
    if service.is_job:
        return service.completed, service.desired + service.completed if service.is_global else service.replicas or 0
    return max(0, service.running), max(0, service.desired)


def service_status(service: Service) -> str:
    """Return the status in one word of STATUS_ORDER."""
    if service.is_update_stopped:
        return "paused"
    if service.is_updating:
        return "updating"
    return "healthy" if service.is_healthy else "unhealthy"


def describe(service: Service, facts: ServiceFacts, at: float) -> ServiceDetails:
    """Return everything about one service. `at`: UNIX seconds of the answer."""
    hostnames = {node.node.id: node.node.hostname for node in facts.nodes}
    reasons = tuple(ServiceReason(why.text, why.docker_text) for why in explain_service(service, facts))
    row = service_row(service, facts)
    return ServiceDetails(
        facts.answered_by, at, row, _task_rows(facts.tasks_of(service), hostnames), tuple(_settings(service)), reasons
    )


def _task_rows(tasks: tuple[Task, ...], hostnames: dict[str, str]) -> tuple[TaskRow, ...]:
    """Return the tasks that are wanted, by node, and then the latest that failed."""
    current = [task for task in tasks if not task.is_finished and task.desired_state != "shutdown"]
    failed = sorted((task for task in tasks if task.has_failed), key=lambda task: -task.at)[:MAX_FAILURES]
    ordered = sorted(current, key=lambda task: (task.is_running, hostnames.get(task.node, ""), task.slot))
    rows = [(task, True) for task in ordered[:MAX_TASKS]] + [(task, False) for task in failed]
    return tuple(
        TaskRow(hostnames.get(task.node, task.node[:12]), task.slot, task.state, task.at, task.image, task.error, now)
        for task, now in rows
    )


def _settings(service: Service) -> Iterable[tuple[str, str]]:
    """Yield the settings that decide where and how tasks run. Environment and secrets are not read."""
    placement, reserved = service.placement, service.placement.reserved
    limits = [f"at most {placement.max_per_node} per node"] * bool(placement.max_per_node)
    reservations = [format_memory(reserved.memory)] * bool(reserved.memory)
    reservations += [f"{format_cpus(reserved.nano_cpus)} CPUs"] * bool(reserved.nano_cpus)
    values = (
        ("Image", service.image),
        ("Ports", ", ".join(port.text for port in service.ports)),
        ("Placement", ", ".join([*placement.constraints, *limits])),
        ("Reserved for each task", ", ".join(reservations)),
        ("Update", _update_text(service.update)),
        ("Rollback", _update_text(service.rollback)),
        ("Last update", ": ".join(filter(None, (service.update_state.replace("_", " "), service.update_message)))),
        ("Stack", service.stack),
        ("Previous settings", "available for a rollback" if service.has_previous_spec else "none"),
    )
    yield from ((name, value) for name, value in values if value)


def _update_text(settings: UpdateSettings) -> str:
    number = f"{settings.parallelism} at a time" if settings.parallelism else "all at once"
    delay = f", {settings.delay:g} s apart" if settings.delay else ""
    return f"{number}{delay}, {settings.order}, {settings.failure_action} on failure"
