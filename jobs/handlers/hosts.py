"""Show every host of the inventory as a row, asked in parallel."""

from imker.protocol.events import HostTable, JobFinished, JobStarted
from imker.protocol.values import HostRow
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts.own_node import find_own_node
from jobs.facts.swarm import SwarmFacts
from jobs.gather import known_swarm
from jobs.gather.swarm import EngineAnswer, ask_engines
from jobs.handlers.nodes import ALL
from jobs.inventory.model import Host, classic_swarm_column

# --- hosts ---------------------------------------------------------------------------------------------------------


def show_hosts(context: JobContext) -> None:
    """A row for every host of the inventory, asked in parallel; one that does not answer is a row with its error."""
    context.events.emit(JobStarted())
    answers = ask_engines(context.inventory, context.engine_factory, ALL)
    swarm = known_swarm.gather_known_swarm(context, answers)
    rows = tuple(_host_row(context, host, swarm, answers[host.name]) for host in context.inventory.values())
    context.events.emit(HostTable(rows))
    unreachable_count = sum(bool(row.error) for row in rows)
    context.events.emit(
        JobFinished(
            "done", f"{len(rows)} hosts" + (f", {unreachable_count} without an answer" if unreachable_count else "")
        )
    )


def _host_row(context: JobContext, host: Host, swarm: SwarmFacts, answer: EngineAnswer | JobError) -> HostRow:
    if isinstance(answer, JobError):
        state, version, node_role, error = "Unknown", "Unknown", "", answer.summary
    else:
        state, version, node_role, error = (
            "Running",
            f"v{answer.engine.version['Version']}",
            _node_role(host, answer, swarm),
            "",
        )
    url = f"tcp://{host.address}:{host.engine_port}"
    return HostRow(
        host.name, host.driver, state, url, classic_swarm_column(host, context.inventory), version, node_role, error
    )


def _node_role(host: Host, answer: EngineAnswer, swarm: SwarmFacts) -> str:
    own_place = answer.membership
    node = find_own_node(host, own_place, swarm.nodes)
    if node is None:
        return "" if own_place.state == "inactive" else own_place.state
    return "pending" if node.pending else {"leader": "leader", "": "worker"}.get(node.manager_status, "manager")
