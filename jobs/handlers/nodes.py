"""Show the swarm's nodes: ask the managers in turn, or show the last table with its age."""

import time

from pydantic import TypeAdapter

from imker.protocol.events import JobFinished, JobStarted, NodeTable
from imker.protocol.values import NodeRow
from jobs.context import JobContext
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather import known_swarm
from jobs.gather.swarm import ask_engines

LAST_NODES_KEY = "imker:last-nodes"  # the last node table, for when no manager answers
FIRST, ALL = 1.0, 3.5  # seconds for the known managers, and then for all hosts: a table is there within 5
_TABLE_ADAPTER: TypeAdapter[NodeTable] = TypeAdapter(NodeTable)


# --- nodes ---------------------------------------------------------------------------------------------------------


def show_nodes(context: JobContext) -> None:
    """Show the nodes as the managers list them; else the last table with its age and the reason."""
    context.events.emit(JobStarted())
    last = _load_last_table(context)
    table = _ask_managers(known_swarm.gather_managers(context, FIRST)) or _ask_any_manager(context, last)
    if table is None:
        return
    context.events.emit(table)
    if not table.stale_reason:
        context.events.save_signed(LAST_NODES_KEY, _TABLE_ADAPTER.dump_json(table).decode())
    context.events.emit(JobFinished("done", f"{len(table.rows)} nodes"))


def _load_last_table(context: JobContext) -> NodeTable | None:
    stored = context.events.load_signed(LAST_NODES_KEY)
    try:
        return _TABLE_ADAPTER.validate_json(stored) if stored is not None else None
    except ValueError:
        return None


def _ask_managers(swarm: SwarmFacts) -> NodeTable | None:
    return (
        _node_table(swarm.answered_by, swarm.memberships[swarm.answered_by].node_id, swarm.nodes)
        if swarm.answered_by
        else None
    )


def _ask_any_manager(context: JobContext, last: NodeTable | None) -> NodeTable | None:
    swarm = known_swarm.gather_known_swarm(context, ask_engines(context.inventory, context.engine_factory, ALL))
    if table := _ask_managers(swarm):
        return table
    reason = swarm.problem or (f"no answer from {', '.join(swarm.unreachable)}" if swarm.unreachable else "")
    if last is not None and reason:
        return NodeTable(last.answered_by, last.taken_at, last.rows, stale_reason=reason)
    summary = reason or "there is no swarm yet"
    hint = "Start one with its first manager: /swarm migrate HOST --manager" if not reason else "See /swarm hosts."
    context.events.emit(JobFinished("refused" if not reason else "failed", summary, hint=hint))
    return None


def _node_table(answered_by: str, own_node_id: str, nodes: tuple[Node, ...]) -> NodeTable:
    return NodeTable(answered_by, time.time(), tuple(_node_row(node, own_node_id) for node in nodes))


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
