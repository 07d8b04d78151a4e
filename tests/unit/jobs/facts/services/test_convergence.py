"""A service has converged if exactly the wanted tasks run, with the current settings."""

import pytest

from jobs.facts.services.convergence import judge
from jobs.facts.services.model import Service, ServiceFacts, Task
from tests.unit.jobs.facts.services.builders import node, service, task

TWO = (task("a", 1), task("b", 2))
OLD = task("a", 1, image="nginx:1.10")
CASES: dict[str, tuple[Service, tuple[Task, ...], str, str]] = {
    "all run": (service(), TWO, "converged", "2 of 2 running"),
    "one is starting": (service(running=1), (task("a", 1), task("b", 2, "starting")), "converging", "1 of 2 running"),
    "one more stops": (
        service(), (*TWO, task("b", 3, desired_state="shutdown")), "converging", "2 of 2 running",
    ),
    "one on a dead node does not report": (
        service(), (*TWO, task("dead", 3, desired_state="shutdown")), "converged", "2 of 2 running",
    ),
    "an old one runs": (service(update_state="updating"), (OLD, TWO[1]), "converging", "1 of 2 updated"),
    "the update goes on": (service(update_state="updating"), TWO, "converging", "2 of 2 running"),
    "the update is paused": (service(update_state="paused"), TWO, "stopped", "2 of 2 running"),
    "a rollback goes on": (service(update_state="rollback_started"), (OLD, TWO[1]), "converging", "1 of 2 rolled back"),
    "a rollback ended": (service(update_state="rollback_completed"), TWO, "converged", "2 of 2 running"),
    "none is wanted": (service(replicas=0), (), "converged", "0 of 0 running"),
    "a job has completed": (service(mode="replicated-job", completed=2), (), "converged", "2 of 2 running"),
    "restarted, but the old tasks run": (service(force_update=1), TWO, "converging", "2 of 2 running"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_judges(name: str) -> None:
    about, tasks, verdict, text = CASES[name]
    nodes = (node("a"), node("b"), node("dead", state="down"))
    convergence = judge(about, ServiceFacts("a", (about,), tasks, nodes))
    assert (convergence.verdict, convergence.text) == (verdict, text)
