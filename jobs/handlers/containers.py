"""Handle a host's containers: list them before and after a migration, and start those that are not running."""

from typing import Literal

from imker.protocol.commands import StartContainers
from imker.protocol.events import ContainerSnapshot, DecisionRequested, JobFinished, JobStarted
from imker.protocol.next_command import NextCommand
from imker.protocol.values import ContainerRow
from jobs import plan, steps
from jobs.context import JobContext
from jobs.daemon_options import OptionFiles
from jobs.execute.exclusive import hold_lock
from jobs.execute.runner import run_host_steps
from jobs.facts.containers import Container
from jobs.facts.host import HostFacts
from jobs.gather.host import read_containers, read_options_and_containers
from jobs.handlers import confirmation, plan_events
from jobs.handlers.dispatcher import dispatch
from jobs.inventory.model import Host


def snapshot_containers(phase: Literal["before", "after"], facts: HostFacts) -> ContainerSnapshot:
    """Return the event that lists the host's Engine version and containers."""
    rows = (
        ContainerRow(
            container.name,
            container.image,
            container.running,
            container.restart_policy,
            container.ports,
            container.networks,
        )
        for container in facts.containers
    )
    return ContainerSnapshot(phase, facts.name, facts.engine_version, tuple(rows))


def gather_containers(context: JobContext, host: Host) -> tuple[Container, ...]:
    """Read the host's containers. Raises JobError if the host is unreachable."""
    with context.open_shell(host) as shell:
        return read_containers(shell)


def gather_options_and_containers(context: JobContext, host: Host) -> tuple[OptionFiles, tuple[Container, ...]]:
    """Read the host's daemon options and containers. Raises JobError if the host is unreachable."""
    with context.open_shell(host) as shell:
        return read_options_and_containers(shell)


def find_not_running(plan_steps: tuple[steps.Step, ...], after: tuple[Container, ...]) -> tuple[str, ...]:
    """Return the names of the containers that were running before the plan and are not running now."""
    expected = [name for step in plan_steps if isinstance(step, steps.EnsureContainersRunning) for name in step.names]
    running = {container.name for container in after if container.running}
    return tuple(name for name in expected if name not in running)


def not_running_text(names: tuple[str, ...]) -> str:
    """Return a sentence about the containers, "" if there are none."""
    return f"Not running anymore: {', '.join(names)}. See the thread for details." if names else ""


def start_commands(host: Host, names: tuple[str, ...]) -> tuple[NextCommand, ...]:
    """Return the command that starts the containers, if there are any."""
    return (NextCommand(StartContainers(host.name, names), "start them"),) if names else ()


def start_question(
    host: Host, names: tuple[str, ...], summary: str, next_commands: tuple[NextCommand, ...] = ()
) -> DecisionRequested:
    """Return the question whether to start the containers. `summary`: what to say before it."""
    text = f"{summary} {not_running_text(names)}"
    fingerprint = plan.compute_fingerprint(names)
    return DecisionRequested(
        "start_containers", fingerprint, host=host.name, names=names, summary=text, next_commands=next_commands
    )


@dispatch.register
def start_containers(command: StartContainers, context: JobContext) -> None:
    """Start containers by name. Ask again about those that are still not running."""
    name, names = command.host, command.names
    host = context.find_host(name)
    context.events.emit(JobStarted(name))
    with hold_lock(context, f"host:{name}", f"start containers on {name}") as lease:
        existing = {item.name for item in gather_containers(context, host)}
        unknown_names = [item for item in names if item not in existing]
        if unknown_names:
            hint = f"See the names on {name} with `docker ps --all`."
            return context.report_refusal(plan.Refusal(f"{name} has no container {', '.join(unknown_names)}", hint))
        step = steps.EnsureContainersRunning(names)
        start_plan = plan.Plan((step,))
        context.events.emit(plan_events.build_plan_event(start_plan))
        if question := confirmation.start_question(context, name, start_plan):
            return context.events.emit(question)
        run_host_steps(context, host, (step,), (), lease)
        not_running = find_not_running((step,), gather_containers(context, host))
    if not_running:
        return context.events.emit(start_question(host, not_running, f"Tried to start them on {name}."))
    return context.events.emit(JobFinished("done", f"All containers are running on {name}: {', '.join(names)}"))
