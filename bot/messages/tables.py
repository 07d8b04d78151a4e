"""Render tables of hosts, nodes, and services, as Slack's table block and as plain text. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

from bot.commands.row_filter import RowFilter
from bot.messages.block_kit import Block, duration
from bot.messages.filtered_rows import row_values
from imker.protocol.events import HostTable, NodeTable
from imker.protocol.service_events import ServiceRow, ServiceTable, TaskRow
from imker.protocol.values import HostRow, NodeRow
from imker.text import strip_control, truncate

MAX_ROWS = 100  # rows of a table block, with the header
MAX_CHARACTERS, MAX_CELL = 6_000, 200  # characters of all cells together, and of one cell
LONG_TABLE = 15  # rows above which a table with a caption is sorted and paged by its reader
MAX_DATA_ROWS, MAX_DATA_CHARACTERS = 201, 18_000  # of a data_table block
PAGE_SIZE = 25  # rows of a data_table's page
NO_FILTER = RowFilter()
SHORT_ID = 12  # characters of a node ID that are shown


@dataclass(frozen=True)
class Table:
    """A header and rows of cells, unescaped.

    `caption`: what the rows are; without one, a long table has no pages. `key_column`: names the row.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    key_column: int = 0


def table_of(table: HostTable | NodeTable | ServiceTable, row_filter: RowFilter = NO_FILTER) -> Table:
    """Return the table of the hosts, nodes, or services that match the filter."""
    full_table = _full_table(table)
    matches = [row_filter.matches(row_values(row)) for row in table.rows]
    count = f"{len(table.rows)} {full_table.caption}"
    caption = f"{sum(matches)} of {count}: {row_filter.text}" if row_filter.text else count
    return replace(full_table, rows=tuple(compress(full_table.rows, matches)), caption=caption)


def _full_table(table: HostTable | NodeTable | ServiceTable) -> Table:
    match table:
        case HostTable():
            return _hosts(table.rows)
        case NodeTable():
            return _nodes(table.rows)
        case ServiceTable():
            return services(table.rows)


def table_block(table: Table) -> Block:
    """Return a block with as many rows as Slack accepts. `omitted_rows` counts the others."""
    rows = [[_cell(text) for text in row] for row in (table.header, *_rows_that_fit(table))]
    if not _is_long(table):
        return {"type": "table", "column_settings": [{"is_wrapped": True} for _ in table.header], "rows": rows}
    return {
        "type": "data_table",
        "caption": table.caption,
        "page_size": PAGE_SIZE,
        "row_header_column_index": table.key_column,
        "rows": rows,
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


def _is_long(table: Table) -> bool:
    return bool(table.caption) and len(table.rows) > LONG_TABLE


def _rows_that_fit(table: Table) -> tuple[tuple[str, ...], ...]:
    max_rows, max_characters = (MAX_DATA_ROWS, MAX_DATA_CHARACTERS) if _is_long(table) else (MAX_ROWS, MAX_CHARACTERS)
    size, rows_that_fit = sum(map(len, table.header)), []
    for row in table.rows[: max_rows - 1]:
        size += sum(max(1, min(len(cell), MAX_CELL)) for cell in row)
        if size > max_characters:
            break
        rows_that_fit.append(row)
    return tuple(rows_that_fit)


def _cell(content: str) -> Block:
    """Return a cell. Slack rejects empty cells, so a space fills them."""
    return {"type": "raw_text", "text": truncate(strip_control(content), MAX_CELL) or " "}


def _hosts(rows: tuple[HostRow, ...]) -> Table:
    header = ("NAME", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "SWARM MODE", "ERRORS")
    cells = ((r.name, r.driver, r.state, r.url, r.swarm, r.docker, r.node_role, r.error) for r in rows)
    return Table(header, tuple(cells), "hosts")


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
        "nodes",
        header.index("HOSTNAME"),
    )


def services(rows: tuple[ServiceRow, ...]) -> Table:
    """Return the table of services. What is wrong with one stands right after its numbers."""
    header = ("NAME", "MODE", "RUNNING", "STATUS", "PROBLEM", "IMAGE", "PORTS", "UPDATE")
    cells = (
        (
            row.name, row.mode, f"{row.running}/{row.desired}", row.status, row.problem, row.image,
            ", ".join(row.ports), row.update.replace("_", " "),
        )
        for row in rows
    )  # fmt: skip
    return Table(header, tuple(cells), "services")


def tasks(rows: Sequence[TaskRow], now: float) -> Table:
    """Return the table of a service's tasks: those that are wanted, and then those that failed."""
    header = ("NODE", "SLOT", "STATE", "SINCE", "IMAGE", "ERROR")
    cells = (
        (
            row.node or "none yet", str(row.slot or "-"), row.state + ("" if row.is_current else " before"),
            duration(now - row.at) if row.at else "", row.image, row.error,
        )
        for row in rows
    )  # fmt: skip
    return Table(header, tuple(cells), "tasks")


def _distinct_prefix(ids: list[str]) -> int:
    """Return how many characters distinguish all IDs, at least SHORT_ID."""
    max_length = max(map(len, ids), default=SHORT_ID)
    return next((n for n in range(SHORT_ID, max_length) if len({i[:n] for i in ids}) == len(set(ids))), max_length)
