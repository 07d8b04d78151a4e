"""Check the node table: from any manager that responds, or the last one with the reason."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from imker import signing
from imker.protocol import commands, events, version
from imker.protocol.commands import Request
from imker.protocol.events import HostTable, JobFinished, NodeTable
from jobs.context import JobContext
from jobs.errors import EngineRefused, Unreachable
from jobs.events.writer import EventWriter
from jobs.handlers import dispatch
from jobs.inventory.model import Host
from jobs.settings import Settings
from tests.support import streams

NAMES = ("connewitz", "tondi", "kaditz")
ADDRESSES = {name: f"198.18.0.{number}" for number, name in enumerate(NAMES, 1)}


@dataclass
class FakeSwarm:
    """Engines as a test configures them. `managers` list the nodes. `unreachable`: hosts that do not respond."""

    members: tuple[str, ...] = NAMES
    managers: tuple[str, ...] = ("connewitz", "tondi")
    unreachable: set[str] = field(default_factory=set)
    leaderless: bool = False
    asked_managers: list[str] = field(default_factory=list)

    def connect(self, host: Host, timeout: float = 10) -> Any:
        self.asked_managers.append(host.name)
        if host.name in self.unreachable:
            raise Unreachable(f"{host.name}'s Engine does not answer", host=host.name)
        return FakeEngine(host, self)


@dataclass
class FakeEngine:
    host: Host
    swarm: FakeSwarm
    version = {"Version": "26.1.5"}  # noqa: RUF012

    def info(self) -> dict[str, Any]:
        member = self.host.name in self.swarm.members
        manages = self.host.name in self.swarm.managers
        cluster = {"Cluster": {"ID": "ours"}} if manages and not self.swarm.leaderless else {}
        place = {"LocalNodeState": "active" if member else "inactive", "ControlAvailable": manages}
        return {"Swarm": {**place, **cluster, "NodeID": f"id-{self.host.name}" if member else ""}}

    def autolock(self) -> bool:
        return False

    def nodes(self) -> list[dict[str, Any]]:
        if self.host.name not in self.swarm.managers:
            raise EngineRefused("This node is not a swarm manager.")
        if self.swarm.leaderless:
            raise EngineRefused("The swarm does not have a leader")
        return [self._node(name) for name in self.swarm.members]

    def _node(self, name: str) -> dict[str, Any]:
        labels = {"imker.pending": "manager"} if name == "kaditz" else {}
        manager = {"Leader": name == "connewitz", "Reachability": "reachable"} if name in self.swarm.managers else None
        return {
            "ID": f"id-{name}",
            "Spec": {"Role": "manager" if manager else "worker", "Availability": "active", "Labels": labels},
            "Description": {"Hostname": name, "Engine": {"EngineVersion": "26.1.5"}},
            "Status": {"State": "ready" if name not in self.swarm.unreachable else "down", "Addr": ADDRESSES[name]},
            **({"ManagerStatus": manager} if manager else {}),
        }


LIST_NODES = commands.ListNodes()


def run_read(redis: Redis, swarm: FakeSwarm, command: commands.Command = LIST_NODES) -> list[events.EventBody]:
    redis.delete(version.events_key("r"))
    inventory = {name: Host(name, address, tls=Path()) for name, address in ADDRESSES.items()}
    writer = EventWriter(redis, streams.KEY, "r", 1, lambda: 0.0)

    def no_shell(host: Host) -> Any:
        raise AssertionError("a read of the swarm needs no SSH")

    context = JobContext(Request("r", 1, command, "U"), Settings(), inventory, writer, redis, no_shell, swarm.connect)
    dispatch(command, context)
    return streams.event_bodies(redis, "r")


def table(bodies: list[events.EventBody]) -> NodeTable:
    (matches,) = [body for body in bodies if isinstance(body, NodeTable)]
    return matches


def test_shows_all_columns(redis: Redis) -> None:
    node_table = table(run_read(redis, FakeSwarm()))
    assert node_table.answered_by == "connewitz"
    rows = [
        (r.hostname, r.has_answered, r.membership, r.status, r.availability, r.manager_status) for r in node_table.rows
    ]
    assert rows == [
        ("connewitz", True, "Accepted", "Ready", "Active", "Leader"),
        ("kaditz", False, "Pending", "Ready", "Active", ""),
        ("tondi", False, "Accepted", "Ready", "Active", "Reachable"),
    ]


def test_queries_only_the_known_managers(redis: Redis) -> None:
    """Usually that is enough, whatever the state of other hosts."""
    run_read(redis, FakeSwarm())
    again = FakeSwarm()
    assert table(run_read(redis, again)).answered_by == "connewitz"
    assert set(again.asked_managers) == {"connewitz", "tondi"}


class Impostor(FakeSwarm):
    """connewitz lists only itself, tondi lists all nodes."""

    def connect(self, host: Host, timeout: float = 10) -> Any:
        engine = super().connect(host)
        if host.name == "connewitz":
            engine.nodes = lambda: [engine._node("connewitz")]
        return engine


def test_does_not_trust_one_manager_alone(redis: Redis) -> None:
    """The manager that responded last time may have been taken over since."""
    before = table(run_read(redis, FakeSwarm()))
    shown_table = table(run_read(redis, Impostor()))
    assert shown_table.rows == before.rows
    assert "connewitz" in shown_table.stale_reason


@pytest.mark.parametrize("stored", ["garbage", "{}", '{"answered_by":"tondi","taken_at":1e300,"rows":[]}'])
def test_ignores_a_malformed_last_table(redis: Redis, stored: str) -> None:
    redis.set(version.LAST_NODES_KEY, signing.sign_for(streams.KEY, version.LAST_NODES_KEY, stored))
    assert table(run_read(redis, FakeSwarm())).answered_by == "connewitz"


@pytest.mark.parametrize("forged", [b"\xff", '{"answered_by":"tondi","taken_at":1.0,"rows":[]}'])
def test_never_shows_a_forged_last_table(redis: Redis, forged: Any) -> None:
    """Otherwise anyone who can write to Redis could show a table when no manager responds."""
    redis.set(version.LAST_NODES_KEY, forged)
    bodies = run_read(redis, FakeSwarm(unreachable=set(NAMES)))
    assert not [body for body in bodies if isinstance(body, NodeTable)]


def test_queries_the_next_manager_if_the_first_is_unreachable(redis: Redis) -> None:
    run_read(redis, FakeSwarm())
    node_table = table(run_read(redis, FakeSwarm(unreachable={"connewitz"})))
    assert (node_table.answered_by, node_table.stale_reason) == ("tondi", "")


@pytest.mark.parametrize(
    ("swarm", "why"),
    [
        (FakeSwarm(unreachable=set(NAMES)), "unreachable: connewitz, tondi, kaditz"),
        (FakeSwarm(leaderless=True), "does not have a leader"),
        (FakeSwarm(managers=()), "only workers are reachable, and only managers"),
    ],
)
def test_shows_the_last_table_with_the_reason_if_no_manager_responds(redis: Redis, swarm: FakeSwarm, why: str) -> None:
    before = table(run_read(redis, FakeSwarm()))
    node_table = table(run_read(redis, swarm))
    assert node_table.rows == before.rows
    assert node_table.taken_at == before.taken_at
    assert why in node_table.stale_reason


@pytest.mark.parametrize(
    ("swarm", "outcome", "why"),
    [
        (FakeSwarm(members=(), managers=()), "refused", "there is no swarm yet"),
        (FakeSwarm(managers=()), "failed", "only workers are reachable"),
        (FakeSwarm(unreachable=set(NAMES)), "failed", "unreachable: "),
    ],
)
def test_explains_why_there_is_no_table(redis: Redis, swarm: FakeSwarm, outcome: str, why: str) -> None:
    end = run_read(redis, swarm)[-1]
    assert isinstance(end, JobFinished)
    assert end.outcome == outcome
    assert why in end.summary
    assert end.next_commands


def test_shows_an_unreachable_host_with_its_error(redis: Redis) -> None:
    bodies = run_read(redis, FakeSwarm(unreachable={"kaditz"}), commands.ListHosts())
    (host_table,) = [body for body in bodies if isinstance(body, HostTable)]
    rows = {row.name: (row.state, row.node_role, row.error) for row in host_table.rows}
    assert rows == {
        "connewitz": ("Running", "leader", ""),
        "tondi": ("Running", "manager", ""),
        "kaditz": ("Unknown", "", "kaditz's Engine does not answer"),
    }
