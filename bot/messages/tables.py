"""Render tables of hosts and nodes, as Slack's table block and as plain text. Pure."""

from dataclasses import dataclass

from bot.messages.block_kit import Block
from imker.protocol.events import HostTable, NodeTable
from imker.protocol.values import HostRow, NodeRow
from imker.text import strip_control, truncate

MAX_ROWS = 100  # rows of a table block, with the header
MAX_CHARACTERS, MAX_CELL = 6_000, 200  # characters of all cells together, and of one cell
SHORT_ID = 12  # characters of a node ID that are shown


@dataclass(frozen=True)
class Table:
    """A header and rows of cells, unescaped."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_of(table: HostTable | NodeTable) -> Table:
    """Return the table of hosts or nodes."""
    return _hosts(table.rows) if isinstance(table, HostTable) else _nodes(table.rows)


def table_block(table: Table) -> Block:
    """Return a table block with as many rows as Slack accepts. `omitted_rows` counts the others."""
    fitting = _rows_that_fit(table)
    return {
        "type": "table",
        "column_settings": [{"is_wrapped": True} for _ in table.header],
        "rows": [[_cell(text) for text in row] for row in (table.header, *fitting)],
    }


def omitted_rows(table: Table) -> int:
    """Return how many rows `table_block` leaves out."""
    return len(table.rows) - len(_rows_that_fit(table))


def table_text(table: Table, rows: int = 40) -> str:
    """Return the first `rows` rows as text with aligned columns, for a monospaced font."""
    lines_of_cells = [table.header, *table.rows[:rows]]
    clean = [[truncate(strip_control(cell), 60) for cell in row] for row in lines_of_cells]
    widths = [max(len(row[column]) for row in clean) for column in range(len(table.header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in clean]
    more = len(table.rows) - rows
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _rows_that_fit(table: Table) -> tuple[tuple[str, ...], ...]:
    size, rows_that_fit = sum(map(len, table.header)), []
    for row in table.rows[: MAX_ROWS - 1]:
        size += sum(max(1, min(len(cell), MAX_CELL)) for cell in row)
        if size > MAX_CHARACTERS:
            break
        rows_that_fit.append(row)
    return tuple(rows_that_fit)


def _cell(content: str) -> Block:
    """Return a cell. Slack rejects empty cells, so a space fills them."""
    return {"type": "raw_text", "text": truncate(strip_control(content), MAX_CELL) or " "}


def _hosts(rows: tuple[HostRow, ...]) -> Table:
    header = ("NAME", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "SWARM MODE", "ERRORS")
    cells = ((r.name, r.driver, r.state, r.url, r.swarm, r.docker, r.node_role, r.error) for r in rows)
    return Table(header, tuple(cells))


def _nodes(rows: tuple[NodeRow, ...]) -> Table:
    header = ("ID", "HOSTNAME", "MEMBERSHIP", "STATUS", "AVAILABILITY", "MANAGER STATUS", "ENGINE")
    length = _distinct_prefix([row.id for row in rows])
    return Table(
        header,
        tuple(
            (
                row.id[:length] + (" *" if row.has_answered else ""),
                *(row.hostname, row.membership, row.status, row.availability, row.manager_status, row.engine),
            )
            for row in rows
        ),
    )


def _distinct_prefix(ids: list[str]) -> int:
    """Return how many characters distinguish all IDs, at least SHORT_ID."""
    max_length = max(map(len, ids), default=SHORT_ID)
    return next((n for n in range(SHORT_ID, max_length) if len({i[:n] for i in ids}) == len(set(ids))), max_length)
