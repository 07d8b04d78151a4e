"""Eight hosts, one of which somebody took over: it costs its own row, and nothing else."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from jobs import contract, gather, reads
from jobs.contract import HostTable, NodeTable, Request
from jobs.engine import Engine
from jobs.inventory import Inventory
from jobs.journal import Journal
from jobs.office import Office
from jobs.settings import Settings
from tests import streams
from tests.jobs import hostile
from tests.jobs.hostile import OK, Serve, drips, floods, honest, says

NAMES = ("connewitz", "tondi", "lausen", "kaditz", "mockau", "thekla", "wahren")
DEADLINE = 5.0  # seconds until people have their table
DRIP = drips(OK + b"Content-Length: 1000000\r\n\r\n{", b" ")
FLOOD = floods(OK + b"\r\n", b" " * 2**20)
HOSTILE: dict[str, Serve] = {
    "drips its version": honest("evil", but={"/version": DRIP}),
    "drips its place": honest("evil", but={"/info": DRIP}),
    "says it manages, and drips its nodes": honest("evil", (*NAMES, "evil"), manager=True, but={"/nodes": DRIP}),
    "floods": honest("evil", but={"/info": FLOOD}),
    "answers rubbish": honest("evil", but={"/info": says(b"[" * 1_000_000)}),
    "sends elsewhere": honest("evil", but={"/info": hostile.redirects(307, "https://127.0.0.1:1/")}),
}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[hostile.Fleet]:
    with hostile.fleet_in(tmp_path) as fleet:
        yield fleet


def hosts(fleet: hostile.Fleet, serve: Serve) -> Inventory:
    engines = {"evil": serve} | {name: honest(name, NAMES, manager=name == "connewitz") for name in NAMES}
    return {name: fleet.engine(name, served) for name, served in engines.items()}


def told(redis: Redis, inventory: Inventory, command: contract.Command) -> list[contract.Body]:
    def no_shell(host: Any) -> Any:
        raise AssertionError("a read of the swarm needs no SSH")

    journal = Journal(redis, streams.KEY, "r", 1, lambda: 0.0)
    office = Office(Request("r", 1, command, "U"), Settings(), inventory, journal, redis, no_shell, Engine)
    began = time.monotonic()
    reads.nodes(office) if isinstance(command, contract.Nodes) else reads.hosts(office)
    assert time.monotonic() - began < DEADLINE
    return streams.told(redis, "r")


@pytest.mark.parametrize("serve", HOSTILE.values(), ids=HOSTILE)
def test_the_hosts_are_shown_within_the_deadline(fleet: hostile.Fleet, redis: Redis, serve: Serve) -> None:
    (table,) = [body for body in told(redis, hosts(fleet, serve), contract.Hosts()) if isinstance(body, HostTable)]
    rows = {row.name: (row.state, row.place, bool(row.error)) for row in table.rows}
    place = {name: "leader" if name == "connewitz" else "worker" for name in NAMES}
    assert rows == {"evil": ("Unknown", "", True), **{name: ("Running", place[name], False) for name in NAMES}}


@pytest.mark.parametrize("first", [False, True], ids=["never asked", "answered last"])
@pytest.mark.parametrize("serve", HOSTILE.values(), ids=HOSTILE)
def test_the_nodes_are_shown_within_the_deadline(fleet: hostile.Fleet, redis: Redis, serve: Serve, first: bool) -> None:
    if first:
        redis.set(reads.LAST_NODES, reads._TABLE.dump_json(NodeTable("evil", 1.0, ())))
    (table,) = [body for body in told(redis, hosts(fleet, serve), contract.Nodes()) if isinstance(body, NodeTable)]
    assert (table.asked, table.stale) == ("connewitz", "")
    assert sorted(row.hostname for row in table.rows) == sorted(NAMES)


def test_plans_of_other_hosts_go_on(fleet: hostile.Fleet) -> None:
    inventory = hosts(fleet, HOSTILE["says it manages, and drips its nodes"])
    began = time.monotonic()
    swarm = gather.swarm(inventory, Engine)
    assert time.monotonic() - began < gather.PLANNING + 1
    assert (swarm.asked, swarm.managers, swarm.silent) == ("connewitz", ("connewitz",), ("evil",))


def test_more_silent_hosts_than_threads_keep_no_other_host_waiting(fleet: hostile.Fleet, redis: Redis) -> None:
    silent = {f"silent{number:02}": fleet.engine("silent", drips(b"", b""), secured=False) for number in range(20)}
    inventory = {**silent, **hosts(fleet, honest("evil"))}
    (table,) = [body for body in told(redis, inventory, contract.Nodes()) if isinstance(body, NodeTable)]
    assert table.asked == "connewitz"
