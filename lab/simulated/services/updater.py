"""Update a service: replace its tasks some at a time, and pause, continue, or roll back after a failure."""

from typing import TYPE_CHECKING

from lab.simulated.services.model import Service, Spec, Task, Update

if TYPE_CHECKING:
    from lab.simulated.services.orchestrator import Orchestrator

RUNS = ("updating", "rollback_started")


def advance(orchestrator: "Orchestrator", service: Service, now: float) -> None:
    """Do the next thing of an update that is due."""
    update, tasks = service.update, orchestrator.tasks_of(service)
    if update and update.state in RUNS and _handle_failures(orchestrator, service, update, tasks):
        return
    outdated = [task for task in tasks if task.desired != "shutdown" and task.spec_version < service.dirty_version]
    if not outdated and not (update and update.state in RUNS):
        return
    if update is None:
        update = service.update = Update("updating", "update in progress")
    if update.state not in RUNS:
        return
    fresh = [task for task in tasks if task.spec_version >= service.dirty_version and task.desired != "shutdown"]
    starting = [task for task in fresh if task.state != "running" and task.state != "complete"]
    config = _config(service, update)
    parallelism = int(config.get("Parallelism", 1)) or len(tasks)
    for task in outdated[: max(0, parallelism - len(starting)) if update.next_at <= now else 0]:
        orchestrator.stop_task(task)
        orchestrator.create_task(service, task.slot, "" if task.slot else task.node)
        update.last_at, update.next_at = now, now + int(config.get("Delay") or 0) / 1e9
        service.version_index = next(orchestrator.indices)
    if not outdated and not starting and now >= update.last_at + orchestrator.pace.monitor:
        _finish(service, update)
        service.version_index = next(orchestrator.indices)


def roll_back(service: Service, message: str) -> None:
    """Swap the spec and the previous one, and start to replace the tasks."""
    assert service.previous_spec is not None
    service.spec, service.previous_spec = service.previous_spec, service.spec
    service.spec_version = service.dirty_version = service.spec_version + 1
    service.update = Update("rollback_started", message)


def _config(service: Service, update: Update) -> Spec:
    name = "RollbackConfig" if update.state.startswith("rollback") else "UpdateConfig"
    return dict(service.spec.get(name) or {"Parallelism": 1})


def _finish(service: Service, update: Update) -> None:
    is_rollback = update.state == "rollback_started"
    update.state = "rollback_completed" if is_rollback else "completed"
    update.message = "rollback completed" if is_rollback else "update completed"


def _handle_failures(orchestrator: "Orchestrator", service: Service, update: Update, tasks: list[Task]) -> bool:
    """Return whether a failure ended the update."""
    failed = [
        task
        for task in tasks
        if task.spec_version >= service.dirty_version and task.state in ("failed", "rejected") and task.spec_version
    ]
    update.failed |= {task.id for task in failed}
    config = _config(service, update)
    ratio = float(config.get("MaxFailureRatio") or 0)
    if not update.failed or len(update.failed) / max(1, service.replicas) <= ratio:
        return False
    reason = f"due to failure or early termination of task {sorted(update.failed)[0]}"
    action = str(config.get("FailureAction") or "pause")
    if action == "continue":
        return False
    service.version_index = next(orchestrator.indices)
    if action == "rollback" and update.state == "updating" and service.previous_spec is not None:
        roll_back(service, f"update rolled back {reason}")
        return True
    is_rollback = update.state == "rollback_started"
    update.state = "rollback_paused" if is_rollback else "paused"
    update.message = f"{'rollback' if is_rollback else 'update'} paused {reason}"
    return True
