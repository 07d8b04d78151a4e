"""Test that one compromised host out of eight affects only its own row."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from imker.protocol import commands, events, version
from imker.protocol.commands import Request
from imker.protocol.events import HostTable, NodeTable
from jobs.connectors.engine import Engine
from jobs.context import JobContext
from jobs.events.writer import EventWriter
from jobs.gather.swarm import ASK_TIMEOUT, gather_swarm
from jobs.handlers import dispatch, nodes
from jobs.inventory.model import Inventory
from jobs.settings import Settings
from tests.support import hostile_engine, streams
from tests.support.hostile_engine import OK, Serve, drips, floods, honest, says

pytestmark = pytest.mark.processes

NAMES = ("connewitz", "tondi", "lausen", "kaditz", "mockau", "thekla", "wahren")
DEADLINE = 5.0  # seconds until users see the table
DRIP = drips(OK + b"Content-Length: 1000000\r\n\r\n{", b" ")
FLOOD = floods(OK + b"\r\n", b" " * 2**20)
HOSTILE: dict[str, Serve] = {
    "drips its version": honest("evil", but={"/version": DRIP}),
    "drips its place": honest("evil", but={"/info": DRIP}),
    "says it manages, and drips its nodes": honest("evil", (*NAMES, "evil"), manager=True, but={"/nodes": DRIP}),
    "floods": honest("evil", but={"/info": FLOOD}),
    "answers rubbish": honest("evil", but={"/info": says(b"[" * 1_000_000)}),
    "sends elsewhere": honest("evil", but={"/info": hostile_engine.redirects(307, "https://127.0.0.1:1/")}),
}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[hostile_engine.Fleet]:
    with hostile_engine.fleet_in(tmp_path) as fleet:
        yield fleet


def hosts(fleet: hostile_engine.Fleet, serve: Serve) -> Inventory:
    engines = {"evil": serve} | {name: honest(name, NAMES, manager=name == "connewitz") for name in NAMES}
    return {name: fleet.engine(name, served) for name, served in engines.items()}


def run_command(redis: Redis, inventory: Inventory, command: commands.Command) -> list[events.EventBody]:
    def no_shell(host: Any) -> Any:
        raise AssertionError("a read of the swarm needs no SSH")

    journal = EventWriter(redis, streams.KEY, "r", 1, lambda: 0.0)
    office = JobContext(Request("r", 1, command, "U"), Settings(), inventory, journal, redis, no_shell, Engine)
    began = time.monotonic()
    dispatch(command, office)
    assert time.monotonic() - began < DEADLINE
    return streams.event_bodies(redis, "r")


@pytest.mark.parametrize("serve", HOSTILE.values(), ids=HOSTILE)
def test_lists_the_hosts_within_the_deadline(fleet: hostile_engine.Fleet, redis: Redis, serve: Serve) -> None:
    (table,) = [
        body for body in run_command(redis, hosts(fleet, serve), commands.ListHosts()) if isinstance(body, HostTable)
    ]
    rows = {row.name: (row.state, row.node_role, bool(row.error)) for row in table.rows}
    place = {name: "leader" if name == "connewitz" else "worker" for name in NAMES}
    assert rows == {"evil": ("Unknown", "", True), **{name: ("Running", place[name], False) for name in NAMES}}


@pytest.mark.parametrize("first", [False, True], ids=["never asked", "answered last"])
@pytest.mark.parametrize("serve", HOSTILE.values(), ids=HOSTILE)
def test_lists_the_nodes_within_the_deadline(
    fleet: hostile_engine.Fleet, redis: Redis, serve: Serve, first: bool
) -> None:
    if first:
        redis.set(version.LAST_NODES_KEY, nodes._TABLE_ADAPTER.dump_json(NodeTable("evil", 1.0, ())))
    (table,) = [
        body for body in run_command(redis, hosts(fleet, serve), commands.ListNodes()) if isinstance(body, NodeTable)
    ]
    assert (table.answered_by, table.stale_reason) == ("connewitz", "")
    assert sorted(row.hostname for row in table.rows) == sorted(NAMES)


def test_plans_other_hosts_despite_one_hostile_host(fleet: hostile_engine.Fleet) -> None:
    inventory = hosts(fleet, HOSTILE["says it manages, and drips its nodes"])
    began = time.monotonic()
    swarm = gather_swarm(inventory, Engine)
    assert time.monotonic() - began < ASK_TIMEOUT + 1
    assert (swarm.answered_by, swarm.managers, swarm.unreachable) == ("connewitz", ("connewitz",), ("evil",))


def test_does_not_wait_for_more_unresponsive_hosts_than_threads(fleet: hostile_engine.Fleet, redis: Redis) -> None:
    silent = {f"silent{number:02}": fleet.engine("silent", drips(b"", b""), secured=False) for number in range(20)}
    inventory = {**silent, **hosts(fleet, honest("evil"))}
    (table,) = [body for body in run_command(redis, inventory, commands.ListNodes()) if isinstance(body, NodeTable)]
    assert table.answered_by == "connewitz"
