"""Show every host of the inventory as a table row."""

from imker.protocol.commands import ListHosts
from imker.protocol.events import HostTable, JobFinished, JobStarted
from imker.protocol.values import HostRow
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts.own_node import find_own_node
from jobs.facts.swarm import SwarmFacts
from jobs.gather import known_swarm
from jobs.gather.services import ALL
from jobs.gather.swarm import EngineAnswer, ask_engines
from jobs.handlers.dispatcher import dispatch
from jobs.inventory.model import Host, classic_swarm_column


@dispatch.register
def show_hosts(_: ListHosts, context: JobContext) -> None:
    """Query all hosts in parallel and emit a row for each. An unreachable host is a row with its error."""
    context.events.emit(JobStarted())
    answers = ask_engines(context.inventory, context.engine_factory, ALL)
    swarm = known_swarm.gather_known_swarm(context, answers)
    rows = tuple(_host_row(context, host, swarm, answers[host.name]) for host in context.inventory.values())
    context.events.emit(HostTable(rows))
    unreachable_count = sum(bool(row.error) for row in rows)
    unreachable = f", {unreachable_count} unreachable" if unreachable_count else ""
    context.events.emit(JobFinished("done", f"{len(rows)} hosts{unreachable}"))


def _host_row(context: JobContext, host: Host, swarm: SwarmFacts, answer: EngineAnswer | JobError) -> HostRow:
    url, classic_swarm = host.engine_url, classic_swarm_column(host, context.inventory)
    if isinstance(answer, JobError):
        return HostRow(host.name, host.driver, "Unknown", url, classic_swarm, "Unknown", "", answer.summary)
    version, role = f"v{answer.engine.version['Version']}", _node_role(host, answer, swarm)
    return HostRow(host.name, host.driver, "Running", url, classic_swarm, version, role, "")


def _node_role(host: Host, answer: EngineAnswer, swarm: SwarmFacts) -> str:
    membership = answer.membership
    node = find_own_node(host, membership, swarm.nodes)
    if node is None:
        return "" if membership.state == "inactive" else membership.state
    return "pending" if node.pending else {"leader": "leader", "": "worker"}.get(node.manager_status, "manager")
