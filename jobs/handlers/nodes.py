"""Show the swarm's nodes: query the managers, or show the last table with its age."""

import time
from dataclasses import replace

from pydantic import TypeAdapter

from imker.protocol.commands import ListHosts, ListNodes, Migrate
from imker.protocol.events import JobFinished, JobStarted, NodeTable
from imker.protocol.next_command import NextCommand
from imker.protocol.values import NodeRow
from jobs.context import JobContext
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather import known_swarm
from jobs.gather.swarm import ask_engines
from jobs.handlers.dispatcher import dispatch

LAST_NODES_KEY = "imker:last-nodes"  # the last node table, for when no manager answers
FIRST, ALL = 1.0, 3.5  # seconds for the known managers, and then for all hosts: together less than 5
_TABLE_ADAPTER: TypeAdapter[NodeTable] = TypeAdapter(NodeTable)


@dispatch.register
def show_nodes(_: ListNodes, context: JobContext) -> None:
    """Emit the nodes as the managers list them, or the last table with its age and the reason."""
    context.events.emit(JobStarted())
    last = _load_last_table(context)
    table = _table_of(known_swarm.gather_managers(context, FIRST)) or _ask_all_hosts(context, last)
    if isinstance(table, JobFinished):
        return context.events.emit(table)
    context.events.emit(table)
    if not table.stale_reason:
        context.events.save_signed(LAST_NODES_KEY, _TABLE_ADAPTER.dump_json(table).decode())
    return context.events.emit(JobFinished("done", f"{len(table.rows)} nodes"))


def _load_last_table(context: JobContext) -> NodeTable | None:
    stored = context.events.load_signed(LAST_NODES_KEY)
    try:
        return _TABLE_ADAPTER.validate_json(stored) if stored is not None else None
    except ValueError:
        return None


def _table_of(swarm: SwarmFacts) -> NodeTable | None:
    if not swarm.answered_by:
        return None
    own_node_id = swarm.memberships[swarm.answered_by].node_id
    rows = tuple(_node_row(node, own_node_id) for node in swarm.nodes)
    return NodeTable(swarm.answered_by, time.time(), rows)


def _ask_all_hosts(context: JobContext, last: NodeTable | None) -> NodeTable | JobFinished:
    """Return the table of any manager, else the last table with the reason, else the outcome that explains it."""
    swarm = known_swarm.gather_known_swarm(context, ask_engines(context.inventory, context.engine_factory, ALL))
    if table := _table_of(swarm):
        return table
    reason = swarm.problem or (f"unreachable: {', '.join(swarm.unreachable)}" if swarm.unreachable else "")
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
