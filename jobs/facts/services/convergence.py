"""Judge how far a service is on its way to what was asked for. Pure."""

from dataclasses import dataclass
from typing import Literal

from jobs.facts.services.model import Service, ServiceFacts, Task, has_settings_of
from jobs.facts.services.reasons import Why, explain_service
from jobs.facts.services.rows import counts

Verdict = Literal["converging", "converged", "stopped"]


@dataclass(frozen=True)
class Convergence:
    """How far a service is.

    `running` and `desired`: tasks, of a job those that completed; `ready`: tasks that run with the current settings;
    `reasons`: why the others do not; `verdict`: "stopped" if Docker stopped the update, so that waiting is useless.
    """

    verdict: Verdict
    running: int
    desired: int
    ready: int = 0
    reasons: tuple[Why, ...] = ()
    update_state: str = ""

    @property
    def text(self) -> str:
        """Return "3 of 5 running", or during an update "3 of 5 updated"."""
        if self.update_state == "rollback_started":
            return f"{self.ready} of {self.desired} rolled back"
        is_update = self.update_state == "updating" and self.ready < self.running
        return f"{self.ready if is_update else self.running} of {self.desired} {'updated' if is_update else 'running'}"


def judge(service: Service, facts: ServiceFacts) -> Convergence:
    """Return how far the service is: converged if exactly the wanted tasks run, with the current settings."""
    tasks = [task for task in facts.tasks_of(service) if not task.is_finished]
    running, desired = counts(service)
    ready = sum(task.is_running and has_settings_of(service, task) for task in tasks)
    reasons = explain_service(service, facts)
    if service.is_update_stopped:
        return Convergence("stopped", running, desired, ready, reasons, service.update_state)
    unwanted = [task for task in tasks if task.desired_state == "shutdown" and not _is_lost(task, facts)]
    is_done = running >= desired if service.is_job else ready == desired == running and not unwanted
    verdict: Verdict = "converged" if is_done and not service.is_updating else "converging"
    return Convergence(verdict, running, desired, ready, reasons, service.update_state)


def _is_lost(task: Task, facts: ServiceFacts) -> bool:
    """Return whether the task's node does not answer, so that the task's end is not reported either."""
    return any(node.node.id == task.node and node.node.state != "ready" for node in facts.nodes)
