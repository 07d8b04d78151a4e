"""Read what runs on a node: service tasks from a manager, containers from its host."""

from collections.abc import Sequence

from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts.containers import Container
from jobs.gather.host import read_containers
from jobs.gather.services import read_services
from jobs.inventory.model import Host
from jobs.plan.workload import Workload


def gather_workload(context: JobContext, host: Host, node: str, managers: Sequence[str]) -> Workload:
    """Return what runs on the host's node. Raises Unreachable if no manager lists the services."""
    facts = read_services(context, managers, lambda service: True)
    return Workload(node, facts, _containers(context, host))


def _containers(context: JobContext, host: Host) -> tuple[Container, ...] | None:
    try:
        with context.open_shell(host) as shell:
            return read_containers(shell)
    except JobError:
        return None
