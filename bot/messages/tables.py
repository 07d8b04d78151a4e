"""Render tables of hosts and nodes, as Slack's table block and as plain text. Pure."""

from dataclasses import dataclass, replace
from itertools import compress

from bot.commands.row_filter import RowFilter
from bot.messages.block_kit import Block
from bot.messages.filtered_rows import row_values
from imker.protocol.events import HostTable, NodeTable
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


def table_of(table: HostTable | NodeTable, row_filter: RowFilter = NO_FILTER) -> Table:
    """Return the table of the hosts or nodes that match the filter."""
    whole = _hosts(table.rows) if isinstance(table, HostTable) else _nodes(table.rows)
    matches = [row_filter.matches(row_values(row)) for row in table.rows]
    count = f"{len(table.rows)} {whole.caption}"
    caption = f"{sum(matches)} of {count}: {row_filter.text}" if row_filter.text else count
    return replace(whole, rows=tuple(compress(whole.rows, matches)), caption=caption)


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


def _distinct_prefix(ids: list[str]) -> int:
    """Return how many characters distinguish all IDs, at least SHORT_ID."""
    max_length = max(map(len, ids), default=SHORT_ID)
    return next((n for n in range(SHORT_ID, max_length) if len({i[:n] for i in ids}) == len(set(ids))), max_length)
