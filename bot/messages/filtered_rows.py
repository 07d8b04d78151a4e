"""Choose the rows of a table that match a command's filter. Pure."""

from bot.commands.row_filter import KEYS, RowFilter, parse_filter
from imker.protocol.commands import Command, ListHosts, ListNodes
from imker.protocol.service_commands import ListServices
from imker.protocol.service_events import ServiceRow
from imker.protocol.values import HostRow, NodeRow

MANAGER_ROLES = ("leader", "manager")


def filter_of(command: Command) -> RowFilter:
    """Return the command's filter, which matches every row if the command has none."""
    text = command.filter if isinstance(command, ListHosts | ListNodes | ListServices) else ""
    parsed = parse_filter(text, KEYS[command.type]) if text else RowFilter()
    return parsed if isinstance(parsed, RowFilter) else RowFilter()


def row_values(row: HostRow | NodeRow | ServiceRow) -> dict[str, str]:
    """Return what a filter can match: the row's name, and its value of each key."""
    if isinstance(row, HostRow):
        role = "manager" if row.node_role in MANAGER_ROLES else row.node_role or "none"
        status = "down" if row.error else row.state
        return {"name": row.name, "role": role, "status": status, "engine": row.docker.removeprefix("v")}
    if isinstance(row, ServiceRow):
        return {"name": row.name, "status": row.status, "mode": row.mode, "stack": row.stack}
    return {
        "name": row.hostname,
        "role": "manager" if row.manager_status else "worker",
        "status": row.status,
        "availability": row.availability,
        "membership": row.membership,
        "engine": row.engine,
    }
