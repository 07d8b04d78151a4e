"""Test that long tables are paged, that a filter chooses rows, and that Slack accepts every table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.row_filter import KEYS, RowFilter, parse_filter
from bot.messages import tables
from bot.messages.filtered_rows import row_values
from bot.messages.runs import run_message
from bot.messages.tables import LONG_TABLE, Table, omitted_rows, table_block, table_of, table_text
from bot.records import RunRecord
from bot.state.run_state import fold
from imker.clock import Timestamp
from imker.protocol.commands import ListNodes
from imker.protocol.event_log import EventLog
from imker.protocol.events import Event, HostTable, JobFinished, JobStarted, NodeTable
from imker.protocol.values import HostRow, NodeRow
from lab.slack.validate_message import find_problems

NODE = NodeRow("j8xsy2yb802b", False, "tondi", "Accepted", "Ready", "Active", "", "26.1.5")
NODES = (
    replace(NODE, hostname="connewitz", manager_status="Leader"),
    replace(NODE, hostname="kaditz", manager_status="Reachable", status="Down"),
    replace(NODE, hostname="tondi"),
    replace(NODE, hostname="web-1", status="Down", engine="20.10.24"),
    replace(NODE, hostname="web-2", availability="Drain"),
    replace(NODE, hostname="lei-1", membership="Pending"),
)
HOST = HostRow("tondi", "generic", "Running", "tcp://198.18.0.73:2376", "", "v26.1.5", "worker")
HOSTS = (
    replace(HOST, name="connewitz", node_role="leader"),
    replace(HOST, name="kaditz", node_role="manager"),
    replace(HOST, name="tondi"),
    replace(HOST, name="miltitz", state="Unknown", docker="Unknown", node_role="", error="is unreachable"),
    replace(HOST, name="lausen", node_role=""),
)
NODE_CASES = {
    "role=manager": "connewitz kaditz",
    "role=worker": "tondi web-1 web-2 lei-1",
    "status=down": "kaditz web-1",
    "role=manager,status=down": "kaditz",
    "status=down,status=ready,role=manager": "connewitz kaditz",
    "web-*": "web-1 web-2",
    "web-?,tondi": "tondi web-1 web-2",
    "availability=drain": "web-2",
    "membership=pending": "lei-1",
    "engine=20.*": "web-1",
    "role=none": "",
}
HOST_CASES = {
    "role=manager": "connewitz kaditz",
    "role=none": "miltitz lausen",
    "status=down": "miltitz",
    "status=running,engine=26.*,role=worker": "tondi",
}


def parsed(text: str, command: str) -> RowFilter:
    row_filter = parse_filter(text, KEYS[command])
    assert isinstance(row_filter, RowFilter)
    return row_filter


@pytest.mark.parametrize(("text", "expected"), NODE_CASES.items())
def test_a_filter_chooses_nodes(text: str, expected: str) -> None:
    table = table_of(NodeTable("connewitz", 0.0, NODES), parsed(text, "nodes"))
    assert [row[1] for row in table.rows] == expected.split()
    assert table.caption == f"{len(expected.split())} of 6 nodes: {text}"


@pytest.mark.parametrize(("text", "expected"), HOST_CASES.items())
def test_a_filter_chooses_hosts(text: str, expected: str) -> None:
    table = table_of(HostTable(HOSTS), parsed(text, "hosts"))
    assert [row[0] for row in table.rows] == expected.split()
    assert table.caption == f"{len(expected.split())} of 5 hosts: {text}"


def test_every_key_is_a_value_of_its_rows() -> None:
    assert row_values(NODE).keys() == {"name", *KEYS["nodes"]}
    assert row_values(HOST).keys() == {"name", *KEYS["hosts"]}


@given(st.text(max_size=60))
def test_a_filter_is_the_same_when_it_is_typed_again(text: str) -> None:
    row_filter = parse_filter(text, KEYS["nodes"])
    if isinstance(row_filter, RowFilter):
        assert parse_filter(row_filter.text, KEYS["nodes"]) == row_filter


def test_a_short_table_is_shown_whole() -> None:
    rows = tuple(replace(HOST, name=f"host{number}") for number in range(LONG_TABLE))
    assert table_block(table_of(HostTable(rows)))["type"] == "table"


def test_200_hosts_are_a_table_with_pages_a_caption_and_a_name_for_each_row() -> None:
    rows = tuple(replace(HOST, name=f"host{number}") for number in range(200))
    table = table_of(HostTable(rows))
    block = table_block(table)
    assert (block["type"], block["caption"], block["page_size"]) == ("data_table", "200 hosts", tables.PAGE_SIZE)
    assert len(block["rows"]) == 201
    assert omitted_rows(table) == 0
    assert block["rows"][0][block["row_header_column_index"]]["text"] == "NAME"
    assert find_problems([block]) == []
    assert table_text(table).splitlines()[-1] == "and 160 more"


def test_the_hostname_names_a_node() -> None:
    rows = tuple(replace(NODE, id=f"{number:025}", hostname=f"host{number}") for number in range(16))
    block = table_block(table_of(NodeTable("connewitz", 0.0, rows)))
    assert block["rows"][0][block["row_header_column_index"]]["text"] == "HOSTNAME"


@given(st.integers(1, 400), st.integers(0, 300), st.booleans())
def test_slack_accepts_every_table_and_no_row_is_lost(count: int, length: int, has_caption: bool) -> None:
    table = Table(("A", "B"), (("x" * length, "y"),) * count, "rows" * has_caption)
    block = table_block(table)
    assert find_problems([block]) == []
    assert len(block["rows"]) - 1 + omitted_rows(table) == count


@pytest.mark.parametrize(("text", "match"), [("status=down", "kaditz"), ("engine=1.*", "")])
def test_the_message_says_how_many_rows_match(text: str, match: str) -> None:
    record = RunRecord("k3fm9x2q", ListNodes(text), "nodes", "U01ALICE", "C01OPS", 1.0)
    bodies = (JobStarted(), NodeTable("connewitz", 0.0, NODES), JobFinished("done", "6 nodes"))
    events = tuple(Event("k3fm9x2q", 1, number, float(number), body) for number, body in enumerate(bodies, 1))
    now = Timestamp(9.0, "boot", 9.0)
    message = run_message.render(fold(record, EventLog(events), "finished", now.unix, now))
    count = {"kaditz": 2, "": 0}[match]
    assert f"{count} of 6 nodes: {text}" in str(message.blocks)
    assert f"{count} of 6 nodes: {text}" in message.text
    listed = message.text.split("```")[1]  # the headline before it is about all nodes
    assert ("web-1" in listed, "tondi" in listed) == (bool(match), False)
    assert [block["type"] for block in message.blocks].count("table") == bool(match)
    assert find_problems(list(message.blocks)) == []
