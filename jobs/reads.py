"""What there is to look at: the hosts, the nodes. Nothing is changed."""

import time

from pydantic import TypeAdapter

from jobs import gather, known_swarm
from jobs.contract import Began, Ended, HostRow, HostTable, NodeRow, NodeTable
from jobs.errors import JobError
from jobs.facts import Node, SwarmFacts
from jobs.inventory import Host, classic_swarm
from jobs.office import Office
from jobs.own_node import own_node

LAST_NODES = "imker:nodes"  # the last node table, for when no manager answers
FIRST, ALL = 1.0, 3.5  # seconds for the known managers, and then for all hosts: a table is there within 5
_TABLE: TypeAdapter[NodeTable] = TypeAdapter(NodeTable)


# --- hosts ---------------------------------------------------------------------------------------------------------


def hosts(office: Office) -> None:
    """A row for every host of the inventory, asked in parallel; one that does not answer is a row with its error."""
    office.journal.tell(Began())
    answers = gather.ask(office.inventory, office.connect, ALL)
    swarm = known_swarm.look(office, answers)
    rows = tuple(_row(office, host, swarm, answers[host.name]) for host in office.inventory.values())
    office.journal.tell(HostTable(rows))
    away = sum(bool(row.error) for row in rows)
    office.journal.tell(Ended("done", f"{len(rows)} hosts" + (f", {away} without an answer" if away else "")))


def _row(office: Office, host: Host, swarm: SwarmFacts, answer: gather.Answer | JobError) -> HostRow:
    if isinstance(answer, JobError):
        state, version, where, error = "Unknown", "Unknown", "", answer.summary
    else:
        state, version, where, error = (
            "Running",
            f"v{answer.engine.version['Version']}",
            _place(host, answer, swarm),
            "",
        )
    url = f"tcp://{host.address}:{host.engine_port}"
    return HostRow(host.name, host.driver, state, url, classic_swarm(host, office.inventory), version, where, error)


def _place(host: Host, answer: gather.Answer, swarm: SwarmFacts) -> str:
    own = answer.place
    node = own_node(host, own, swarm.nodes)
    if node is None:
        return "" if own.state == "inactive" else own.state
    return "pending" if node.pending else {"leader": "leader", "": "worker"}.get(node.manager, "manager")


# --- nodes ---------------------------------------------------------------------------------------------------------


def nodes(office: Office) -> None:
    """Show the nodes as the managers list them; else the last table with its age and the reason."""
    office.journal.tell(Began())
    last = _last(office)
    table = _asked(known_swarm.look_at_managers(office, FIRST)) or _asked_all(office, last)
    if table is None:
        return
    office.journal.tell(table)
    if not table.stale:
        office.journal.keep(LAST_NODES, _TABLE.dump_json(table).decode())
    office.journal.tell(Ended("done", f"{len(table.rows)} nodes"))


def _last(office: Office) -> NodeTable | None:
    kept = office.journal.kept(LAST_NODES)
    try:
        return _TABLE.validate_json(kept) if kept is not None else None
    except ValueError:
        return None


def _asked(swarm: SwarmFacts) -> NodeTable | None:
    return _table(swarm.asked, swarm.places[swarm.asked].node, swarm.nodes) if swarm.asked else None


def _asked_all(office: Office, last: NodeTable | None) -> NodeTable | None:
    swarm = known_swarm.look(office, gather.ask(office.inventory, office.connect, ALL))
    if table := _asked(swarm):
        return table
    reason = swarm.problem or (f"no answer from {', '.join(swarm.silent)}" if swarm.silent else "")
    if last is not None and reason:
        return NodeTable(last.asked, last.taken_at, last.rows, stale=reason)
    summary = reason or "there is no swarm yet"
    hint = "Start one with its first manager: /swarm migrate HOST --manager" if not reason else "See /swarm hosts."
    office.journal.tell(Ended("refused" if not reason else "failed", summary, hint=hint))
    return None


def _table(asked: str, own: str, found: tuple[Node, ...]) -> NodeTable:
    return NodeTable(asked, time.time(), tuple(_node_row(node, own) for node in found))


def _node_row(node: Node, own: str) -> NodeRow:
    return NodeRow(
        id=node.id,
        asked=node.id == own,
        hostname=node.hostname,
        membership="Pending" if node.pending else "Accepted",
        status=node.state.capitalize(),
        availability=node.availability.capitalize(),
        manager_status=node.manager.capitalize(),
        engine=node.engine,
    )
