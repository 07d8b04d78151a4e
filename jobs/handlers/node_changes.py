"""Change one node of the swarm, which is named by its host: promote, demote, activate, drain, and remove it."""

from dataclasses import replace

from imker.protocol.commands import Migrate
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.next_command import NextCommand
from imker.protocol.node_commands import Activate, Demote, Drain, HostCommand, Promote, Remove
from jobs.connectors.shell import command as shell_command
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.execute.exclusive import hold_lock
from jobs.facts import quorum
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather.known_swarm import gather_settled_swarm
from jobs.gather.workload import gather_workload
from jobs.handlers.accept import acceptance_question
from jobs.handlers.dispatcher import dispatch
from jobs.handlers.node_plans import NodeChange, carry_out
from jobs.inventory.model import Host
from jobs.plan import Refusal, node_changes
from jobs.plan.node_changes import FORCE_LEAVE, NodePlan
from jobs.plan.nodes import find_node, has_node


@dispatch.register
def promote_node(command: Promote, context: JobContext) -> None:
    """Mark a worker as a pending manager, and ask to accept it."""
    host = _start(context, command)

    def plan(node: Node, swarm: SwarmFacts) -> NodePlan | Refusal:
        return node_changes.plan_promotion(host, node, swarm)

    with hold_lock(context, f"host:{host.name}", command.text) as lease:
        change = NodeChange(
            host, plan, f"Mark {host.name} as a pending manager?", f"{host.name} is a manager", always_asks=False
        )
        if carry_out(context, change, lease):
            context.events.emit(_acceptance_question(context, host))


def _acceptance_question(context: JobContext, host: Host) -> DecisionRequested:
    swarm = gather_settled_swarm(context)
    node = find_node(host, swarm)
    if isinstance(node, Refusal):
        raise JobError(node.summary, host=host.name, hint=node.hint, next_commands=node.next_commands)
    availability = "" if node.availability == "active" else f" It stays drained: {host.name} runs no service tasks."
    return replace(
        acceptance_question(context, swarm, node), summary=f"{host.name} is a worker until then.{availability}"
    )


@dispatch.register
def demote_node(command: Demote, context: JobContext) -> None:
    """Make a manager a worker, after an approval of the quorum that remains."""
    host = _start(context, command)

    def plan(node: Node, swarm: SwarmFacts) -> NodePlan | Refusal:
        return node_changes.plan_demotion(host, node, swarm)

    with hold_lock(context, f"host:{host.name}", command.text) as lease:
        change = NodeChange(host, plan, f"Make {host.name} a worker?", f"{host.name} is a worker")
        if carry_out(context, change, lease):
            tolerance = _describe_tolerance(gather_settled_swarm(context))
            context.events.emit(JobFinished("done", f"{host.name} is a worker now. {tolerance}."))


def _describe_tolerance(swarm: SwarmFacts) -> str:
    return quorum.describe_tolerance(sum(node.role == "manager" for node in swarm.nodes))


@dispatch.register
def activate_node(command: Activate, context: JobContext) -> None:
    """Let a node run service tasks again."""
    host = _start(context, command)

    def plan(node: Node, swarm: SwarmFacts) -> NodePlan | Refusal:
        return node_changes.plan_activation(host, node, context.request.requester)

    with hold_lock(context, f"host:{host.name}", command.text) as lease:
        change = NodeChange(host, plan, f"Activate {host.name}?", f"{host.name} is active", always_asks=False)
        if carry_out(context, change, lease):
            text = f"{host.name} is active. New service tasks can start on it; running tasks stay where they are."
            context.events.emit(JobFinished("done", text))


@dispatch.register
def drain_node(command: Drain, context: JobContext) -> None:
    """Drain a node after an approval of what moves and what goes down, and wait for its last task."""
    host = _start(context, command)

    def plan(node: Node, swarm: SwarmFacts) -> NodePlan | Refusal:
        if node.pending and not node.keeps_availability:
            return node_changes.refuse_pending(host, node, "drained")
        return _drain_plan(context, host, node, swarm)

    with hold_lock(context, f"host:{host.name}", command.text) as lease:
        change = NodeChange(
            host, plan, f"Drain {host.name}?", f"{host.name} is drained, and no service task runs on it"
        )
        if carry_out(context, change, lease):
            activate = NextCommand(Activate(host.name), "let it run tasks again")
            text = f"{host.name} is drained. No service task runs on it."
            context.events.emit(JobFinished("done", text, next_commands=(activate,)))


def _drain_plan(context: JobContext, host: Host, node: Node, swarm: SwarmFacts) -> NodePlan:
    workload = gather_workload(context, host, node.id, swarm.managers)
    return node_changes.plan_drain(host, node, workload, context.request.run, context.request.requester)


@dispatch.register
def remove_node(command: Remove, context: JobContext) -> None:
    """Drain and demote a node, let its host leave, and remove it from the swarm's list."""
    host = _start(context, command)
    has_shell = _has_shell(context, host)

    def plan(node: Node, swarm: SwarmFacts) -> NodePlan | Refusal:
        drain = _drain_plan(context, host, node, swarm)
        return node_changes.plan_removal(host, node, swarm, drain, has_shell=has_shell)

    with hold_lock(context, f"host:{host.name}", command.text) as lease:
        swarm = gather_settled_swarm(context)
        if swarm.exists and not has_node(host, swarm):
            summary = f"nothing to do: {host.name} is not a node of the swarm"
            return context.events.emit(JobFinished("unchanged", summary))
        change = NodeChange(
            host, plan, f"Remove {host.name} from the swarm?", f"{host.name} is not in the swarm", removes=True
        )
        if carry_out(context, change, lease):
            context.events.emit(_removed(context, host))
    return None


def _removed(context: JobContext, host: Host) -> JobFinished:
    """Return the outcome of a removal: whether the host left, or still has to."""
    swarm = gather_settled_swarm(context)
    membership = swarm.memberships.get(host.name)
    has_left = membership is not None and membership.state == "inactive"
    hint = "" if has_left else f"{host.name} did not leave: when it is back, run {FORCE_LEAVE} on it."
    summary = f"{host.name} was removed from the swarm. {_describe_tolerance(swarm)}."
    rejoin = NextCommand(Migrate(host.name), "move it into the swarm again")
    return JobFinished("done", summary, hint=hint, next_commands=(rejoin,))


def _start(context: JobContext, command: HostCommand) -> Host:
    host = context.find_host(command.host)
    context.events.emit(JobStarted(host.name))
    return host


def _has_shell(context: JobContext, host: Host) -> bool:
    """Return whether the host is reachable over SSH."""
    try:
        with context.open_shell(host) as shell:
            shell.run(shell_command("true"))
    except JobError:
        return False
    return True
