"""Show the swarm's nodes: query the managers, or show the last table with its age."""

import time
from dataclasses import replace

from pydantic import TypeAdapter

from imker.protocol.commands import ListHosts, ListNodes, Migrate
from imker.protocol.events import JobFinished, JobStarted, NodeTable
from imker.protocol.next_command import NextCommand
from imker.protocol.values import NodeRow
from imker.protocol.version import LAST_NODES_KEY
from jobs.context import JobContext
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather.services import find_managers
from jobs.handlers.dispatcher import dispatch

_TABLE_ADAPTER: TypeAdapter[NodeTable] = TypeAdapter(NodeTable)


@dispatch.register
def show_nodes(_: ListNodes, context: JobContext) -> None:
    """Emit the nodes as the managers list them, or the last table with its age and the reason."""
    context.events.emit(JobStarted())
    last = _load_last_table(context)
    swarm = find_managers(context)
    table = node_table(swarm) or _explain_missing_table(swarm, last)
    if isinstance(table, JobFinished):
        return context.events.emit(table)
    context.events.emit(table)
    if not table.stale_reason:
        save_table(context, table)
    return context.events.emit(JobFinished("done", f"{len(table.rows)} nodes"))


def save_table(context: JobContext, table: NodeTable) -> None:
    """Save the table for when no manager answers, and for the Home tab."""
    context.events.save_signed(LAST_NODES_KEY, _TABLE_ADAPTER.dump_json(table).decode())


def problem_of(swarm: SwarmFacts) -> str:
    """Return why no manager answers, "" if there is no swarm."""
    return swarm.problem or (f"unreachable: {', '.join(swarm.unreachable)}" if swarm.unreachable else "")


def _load_last_table(context: JobContext) -> NodeTable | None:
    stored = context.events.load_signed(LAST_NODES_KEY)
    try:
        return _TABLE_ADAPTER.validate_json(stored) if stored is not None else None
    except ValueError:
        return None


def node_table(swarm: SwarmFacts) -> NodeTable | None:
    """Return the nodes as a manager lists them, None if no manager answers."""
    if not swarm.answered_by:
        return None
    own_node_id = swarm.memberships[swarm.answered_by].node_id
    rows = tuple(_node_row(node, own_node_id) for node in swarm.nodes)
    return NodeTable(swarm.answered_by, time.time(), rows)


def _explain_missing_table(swarm: SwarmFacts, last: NodeTable | None) -> NodeTable | JobFinished:
    """Return the last table with the reason why there is no new one, else the outcome that explains it."""
    reason = problem_of(swarm)
    if last is not None and reason:
        return replace(last, stale_reason=reason)
    if reason:
        return JobFinished("failed", reason, next_commands=(NextCommand(ListHosts()),))
    migrate = NextCommand(Migrate("HOST", "manager"), "migrate its first manager")
    return JobFinished("refused", "there is no swarm yet", next_commands=(migrate,))


def _node_row(node: Node, own_node_id: str) -> NodeRow:
    return NodeRow(
        id=node.id,
        has_answered=node.id == own_node_id,
        hostname=node.hostname,
        membership="Pending" if node.pending else "Accepted",
        status=node.state.capitalize(),
        availability=node.availability.capitalize(),
        manager_status=node.manager_status.capitalize(),
        engine=node.engine_version,
    )
