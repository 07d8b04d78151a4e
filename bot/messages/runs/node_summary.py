"""Summarize a table of nodes or hosts in one line: what is wrong, how many there are, and what they survive. Pure."""

from collections.abc import Iterable, Sequence

from imker.protocol.events import HostTable, NodeTable
from imker.protocol.values import NodeRow

MAX_NAMES = 3  # names in a line; more are counted


def node_result(table: NodeTable) -> tuple[str, str]:
    """Return the mark, "" if nothing is wrong, and the line, unescaped."""
    total = f"{len(table.rows)} node{'s' * (len(table.rows) != 1)}"
    problems = list(_problems(table.rows, total))
    if table.stale_reason:
        return "⚠️", f"No manager answers: last known table, {total}"
    pending = _named([row.hostname for row in table.rows if row.membership == "Pending"], "Pending", total)
    managers = managers_text(table.rows)
    summary = [", ".join(filter(None, (total, managers)))] if problems else [f"{total}, all Ready", managers]
    return "⚠️" if problems else "", "; ".join(part for part in (*problems, pending, *summary) if part)


def host_result(table: HostTable) -> tuple[str, str]:
    """Return the mark, "" if nothing is wrong, and the line, unescaped."""
    total = f"{len(table.rows)} host{'s' * (len(table.rows) != 1)}"
    problem = _named([row.name for row in table.rows if row.error], "unreachable", total)
    if not problem:
        return "", f"{total}, all reachable"
    return "⚠️", problem if total in problem else f"{problem}; {total}"


def managers_text(rows: Sequence[NodeRow]) -> str:
    """Return how many managers there are, and the loss of how many the swarm survives. "" without managers."""
    managers = [row for row in rows if row.manager_status]
    reachable = sum(_is_reachable(row) for row in managers)
    spare = reachable - (len(managers) // 2 + 1)
    if not managers:
        return ""
    loss = "no quorum" if spare < 0 else f"survives the loss of {spare}" if spare else "survives no loss"
    return f"{len(managers)} manager{'s' * (len(managers) != 1)} ({loss})"


def _problems(rows: Sequence[NodeRow], total: str) -> Iterable[str]:
    """Yield what is wrong: nodes that are not Ready, by their status, and managers that are not reachable."""
    for status in dict.fromkeys(row.status for row in rows if row.status != "Ready"):
        yield _named([row.hostname for row in rows if row.status == status], status, total)
    unreachable = [row for row in rows if row.status == "Ready" and row.manager_status and not _is_reachable(row)]
    if unreachable:
        yield _named([row.hostname for row in unreachable], "Unreachable", total)


def _is_reachable(row: NodeRow) -> bool:
    return row.status == "Ready" and row.manager_status in ("Leader", "Reachable")


def _named(names: Sequence[str], status: str, total: str) -> str:
    """Return "a is Down", "a and b are Down", or "5 of 8 nodes are Down"; "" for no names. `total`: "8 nodes"."""
    if len(names) > MAX_NAMES:
        return f"{len(names)} of {total} are {status}"
    listed = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"{listed} {'is' if len(names) == 1 else 'are'} {status}" if names else ""
