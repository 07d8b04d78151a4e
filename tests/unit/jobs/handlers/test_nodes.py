"""The node table: whoever of the managers answers, and what is said when none does."""

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
from jobs.handlers import hosts, nodes
from jobs.inventory.model import Host
from jobs.settings import Settings
from tests.support import streams

NAMES = ("connewitz", "tondi", "kaditz")
ADDRESSES = {name: f"198.18.0.{number}" for number, name in enumerate(NAMES, 1)}


@dataclass
class FakeSwarm:
    """Engines as a test wants them. `managers` answer for the swarm; `away` do not answer at all."""

    members: tuple[str, ...] = NAMES
    managers: tuple[str, ...] = ("connewitz", "tondi")
    away: set[str] = field(default_factory=set)
    leaderless: bool = False
    asked_managers: list[str] = field(default_factory=list)

    def connect(self, host: Host, timeout: float = 10) -> Any:
        self.asked_managers.append(host.name)
        if host.name in self.away:
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
            "Status": {"State": "ready" if name not in self.swarm.away else "down", "Addr": ADDRESSES[name]},
            **({"ManagerStatus": manager} if manager else {}),
        }


LIST_NODES = commands.ListNodes()


def run_read(redis: Redis, swarm: FakeSwarm, command: commands.Command = LIST_NODES) -> list[events.EventBody]:
    redis.delete(version.events_key("r"))
    inventory = {name: Host(name, address, tls=Path()) for name, address in ADDRESSES.items()}
    journal = EventWriter(redis, streams.KEY, "r", 1, lambda: 0.0)

    def no_shell(host: Host) -> Any:
        raise AssertionError("a read of the swarm needs no SSH")

    office = JobContext(Request("r", 1, command, "U"), Settings(), inventory, journal, redis, no_shell, swarm.connect)
    nodes.show_nodes(office) if isinstance(command, commands.ListNodes) else hosts.show_hosts(office)
    return streams.event_bodies(redis, "r")


def table(bodies: list[events.EventBody]) -> NodeTable:
    (matches,) = [body for body in bodies if isinstance(body, NodeTable)]
    return matches


def test_the_write_ups_columns(redis: Redis) -> None:
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


def test_the_known_managers_are_asked_and_nobody_else(redis: Redis) -> None:
    """Most often that is all it takes, whatever other hosts do meanwhile."""
    run_read(redis, FakeSwarm())
    again = FakeSwarm()
    assert table(run_read(redis, again)).answered_by == "connewitz"
    assert set(again.asked_managers) == {"connewitz", "tondi"}


class Impostor(FakeSwarm):
    """connewitz lists only itself; tondi goes on as before."""

    def connect(self, host: Host, timeout: float = 10) -> Any:
        engine = super().connect(host)
        if host.name == "connewitz":
            engine.nodes = lambda: [engine._node("connewitz")]
        return engine


def test_who_answered_last_is_not_believed_alone(redis: Redis) -> None:
    """It may have been taken over since."""
    before = table(run_read(redis, FakeSwarm()))
    shown = table(run_read(redis, Impostor()))
    assert shown.rows == before.rows
    assert "connewitz" in shown.stale_reason


@pytest.mark.parametrize("stored", ["garbage", "{}", '{"asked":"tondi","taken_at":1e300,"rows":[]}'])
def test_a_last_table_that_cannot_be_read_is_none(redis: Redis, stored: str) -> None:
    redis.set(nodes.LAST_NODES_KEY, signing.sign_for(streams.KEY, nodes.LAST_NODES_KEY, stored))
    assert table(run_read(redis, FakeSwarm())).answered_by == "connewitz"


@pytest.mark.parametrize("forged", [b"\xff", '{"asked":"tondi","taken_at":1.0,"rows":[]}'])
def test_a_forged_last_table_is_never_shown(redis: Redis, forged: Any) -> None:
    """Whoever writes to Redis would show it as soon as no manager answers."""
    redis.set(nodes.LAST_NODES_KEY, forged)
    shown = run_read(redis, FakeSwarm(away=set(NAMES)))
    assert not [one for one in shown if isinstance(one, NodeTable)]


def test_the_next_manager_is_asked_when_the_first_is_away(redis: Redis) -> None:
    run_read(redis, FakeSwarm())
    node_table = table(run_read(redis, FakeSwarm(away={"connewitz"})))
    assert (node_table.answered_by, node_table.stale_reason) == ("tondi", "")


@pytest.mark.parametrize(
    ("swarm", "why"),
    [
        (FakeSwarm(away=set(NAMES)), "unreachable: connewitz, tondi, kaditz"),
        (FakeSwarm(leaderless=True), "does not have a leader"),
        (FakeSwarm(managers=()), "only workers are reachable, and only managers"),
    ],
)
def test_when_none_answers_the_last_table_comes_with_the_reason(redis: Redis, swarm: FakeSwarm, why: str) -> None:
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
        (FakeSwarm(away=set(NAMES)), "failed", "unreachable: "),
    ],
)
def test_without_a_last_table_it_is_said_in_words(redis: Redis, swarm: FakeSwarm, outcome: str, why: str) -> None:
    end = run_read(redis, swarm)[-1]
    assert isinstance(end, JobFinished)
    assert end.outcome == outcome
    assert why in end.summary
    assert "/swarm" in end.hint


def test_a_host_that_is_away_is_a_row_with_its_error(redis: Redis) -> None:
    bodies = run_read(redis, FakeSwarm(away={"kaditz"}), commands.ListHosts())
    (host_table,) = [body for body in bodies if isinstance(body, HostTable)]
    rows = {row.name: (row.state, row.node_role, row.error) for row in host_table.rows}
    assert rows == {
        "connewitz": ("Running", "leader", ""),
        "tondi": ("Running", "manager", ""),
        "kaditz": ("Unknown", "", "kaditz's Engine does not answer"),
    }
