"""Change services through a manager. A change by others after the plan was made is never overwritten.

A Spec is written back as the manager returned it, with one change: the manager that stores it has all of it already. It
is written with the version index that was read, so that the manager itself rejects it if another change came between.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from jobs.connectors.engine import Engine
from jobs.connectors.specs import version_index
from jobs.errors import EngineRefused, StateChanged
from jobs.execute.convergence import await_convergence
from jobs.execute.target import StepTarget
from jobs.facts.services.spec import build_spec, spec_digest, with_replicas, with_restart
from jobs.steps import services as steps

Spec = dict[str, Any]
WRITE_ATTEMPTS = 5  # the index also grows while tasks of the same Spec are updated


def execute_service_step(step: steps.ServiceStep, target: StepTarget) -> str:
    """Execute one step that changes a service and return its result in one line. Raise JobError if it fails."""
    match step:
        case steps.CreateService(service):
            target.connect_manager().create_service(build_spec(step))
            return f"{service} was created"
        case steps.ScaleService(service, before, replicas, digest):
            _change(target, service, digest, lambda spec: with_replicas(spec, replicas))
            return f"{before} → {replicas}"
        case steps.RestartService(service, digest):
            _change(target, service, digest, with_restart)
            return "restart requested"
        case steps.RollBackService(service, digest):
            _roll_back(target, service, digest, step.previous_digest)
            return "rollback requested"
        case steps.AwaitConvergence(service, is_rollback):
            return await_convergence(target, service, is_rollback)


def _change(target: StepTarget, service: str, digest: str, change: Callable[[Spec], Spec]) -> None:
    """Write the changed Spec, if the current one is that of the plan."""

    def write(engine: Engine, document: Spec) -> None:
        engine.update_service(document["ID"], version_index(document), change(deepcopy(document["Spec"])))

    _write(target, service, digest, write)


def _roll_back(target: StepTarget, service: str, digest: str, previous: str) -> None:
    def write(engine: Engine, document: Spec) -> None:
        if spec_digest(document.get("PreviousSpec") or {}) != previous:
            raise _changed(service)
        engine.update_service(document["ID"], version_index(document), document["Spec"], rollback=True)

    _write(target, service, digest, write)


def _write(target: StepTarget, service: str, digest: str, write: Callable[[Engine, Spec], None]) -> None:
    for attempt in range(WRITE_ATTEMPTS):
        engine = target.connect_manager()
        document = engine.service(service)
        if spec_digest(document["Spec"]) != digest:
            raise _changed(service)
        try:
            write(engine, document)
        except EngineRefused as error:
            if "out of sequence" not in error.summary or attempt == WRITE_ATTEMPTS - 1:
                raise
        else:
            return


def _changed(service: str) -> StateChanged:
    return StateChanged(f"{service} was changed by someone else after this plan was made, so it was not overwritten")
