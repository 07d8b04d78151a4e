"""Tables of hosts and nodes: as Slack's table block, and as text for those who do not see blocks. Pure."""

from dataclasses import dataclass

from bot.escape import cut, plain
from bot.kit import Block
from jobs.contract import HostRow, HostTable, NodeRow, NodeTable

ROWS, CHARACTERS, CELL = 100, 6_000, 200  # of a table block: rows with the header, characters over all cells
SHORT = 12  # characters of a node ID that people read


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def of(table: HostTable | NodeTable) -> Table:
    return _hosts(table.rows) if isinstance(table, HostTable) else _nodes(table.rows)


def block(table: Table) -> Block:
    """As many rows as Slack takes; `left_out` says how many it did not."""
    kept = _fitting(table)
    return {
        "type": "table",
        "column_settings": [{"is_wrapped": True} for _ in table.header],
        "rows": [[_cell(text) for text in row] for row in (table.header, *kept)],
    }


def left_out(table: Table) -> int:
    return len(table.rows) - len(_fitting(table))


def text(table: Table, rows: int = 40) -> str:
    """Columns aligned, for a monospaced font."""
    shown = [table.header, *table.rows[:rows]]
    clean = [[cut(plain(cell), 60) for cell in row] for row in shown]
    widths = [max(len(row[column]) for row in clean) for column in range(len(table.header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in clean]
    more = len(table.rows) - rows
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _fitting(table: Table) -> tuple[tuple[str, ...], ...]:
    size, kept = sum(map(len, table.header)), []
    for row in table.rows[: ROWS - 1]:
        size += sum(max(1, min(len(cell), CELL)) for cell in row)
        if size > CHARACTERS:
            break
        kept.append(row)
    return tuple(kept)


def _cell(content: str) -> Block:
    """An empty cell is invalid in Slack."""
    return {"type": "raw_text", "text": cut(plain(content), CELL) or " "}


def _hosts(rows: tuple[HostRow, ...]) -> Table:
    header = ("NAME", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "SWARM MODE", "ERRORS")
    cells = ((r.name, r.driver, r.state, r.url, r.swarm, r.docker, r.place, r.error) for r in rows)
    return Table(header, tuple(cells))


def _nodes(rows: tuple[NodeRow, ...]) -> Table:
    header = ("ID", "HOSTNAME", "MEMBERSHIP", "STATUS", "AVAILABILITY", "MANAGER STATUS", "ENGINE")
    length = _unambiguous([row.id for row in rows])
    return Table(
        header,
        tuple(
            (
                row.id[:length] + (" *" if row.asked else ""),
                *(row.hostname, row.membership, row.status, row.availability, row.manager_status, row.engine),
            )
            for row in rows
        ),
    )


def _unambiguous(ids: list[str]) -> int:
    """How many characters tell all nodes apart, at least SHORT."""
    longest = max(map(len, ids), default=SHORT)
    return next((n for n in range(SHORT, longest) if len({i[:n] for i in ids}) == len(set(ids))), longest)
