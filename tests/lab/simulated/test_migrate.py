"""A whole migration of three simulated hosts, by the product's own jobs."""

import time

import pytest

from jobs.contract import (
    Accept,
    Approval,
    Census,
    ContainerRow,
    Ended,
    Hosts,
    HostTable,
    Migrate,
    Nodes,
    NodeTable,
    Waiting,
)
from lab.fleet.options import DEFAULTS, JSON


def test_three_hosts_go_into_swarm_mode_and_stay_as_they_are_when_asked_again(imker) -> None:
    last = imker.does(Migrate("connewitz", "manager"))[-1]
    assert last == Ended("done", "connewitz is in the swarm.")
    waiting = imker.does(Migrate("tondi", "manager"))[-1]
    assert isinstance(waiting, Waiting)
    assert waiting.candidate.observed_address == imker.host("tondi").address
    accepted = imker.does(Accept(waiting.candidate.node), Approval("U02BOB", waiting.fingerprint, time.time()))[-1]
    assert "tondi is a manager now" in accepted.summary
    stored = imker.does(Migrate("lausen", "worker"))[-1]
    assert stored.question == "store"
    _as_promised(imker.fleet)
    for name, role in (("connewitz", "manager"), ("tondi", "manager"), ("lausen", "worker")):
        assert imker.does(Migrate(name, role))[-1].outcome == "nothing"
    (table,) = [body for body in imker.does(Nodes()) if isinstance(body, NodeTable)]
    rows = {row.hostname: (row.status, row.manager_status, row.engine) for row in table.rows}
    assert rows == {
        "connewitz": ("Ready", "Leader", "26.1.5"),
        "lausen": ("Ready", "", "26.1.5"),
        "tondi": ("Ready", "Reachable", "26.1.5"),
    }


def _as_promised(fleet) -> None:
    for name in ("connewitz", "tondi", "lausen"):
        machine = fleet[name]
        assert machine.dockerd.version == "26.1.5"
        running = {one.name for one in machine.containers.values() if one.running}
        assert running == {"web", "batch", "cache"}
        assert "experimental" in machine.disk.texts["/etc/apt/sources.list.d/docker.list"]
    options = fleet["tondi"].disk.texts[DEFAULTS]
    assert "cluster-" not in options
    assert "--tlsverify" in options
    assert "deprecated upstream" in options, "the maintainer's file, with the options put back"
    saved = [path for path in fleet["tondi"].disk.texts if path.startswith(f"{DEFAULTS}.imker-")]
    assert "--cluster-store=consul://" in fleet["tondi"].disk.texts[saved[0]]
    assert "live-restore" not in fleet["lausen"].disk.texts[JSON]


@pytest.mark.parametrize("name", ["connewitz", "tondi"])
def test_the_census_after_is_the_one_before_without_the_classic_swarms_own(imker, name: str) -> None:
    told = imker.does(Migrate("connewitz", "manager"))
    told = told if name == "connewitz" else imker.does(Migrate(name, "worker"))
    before, after = [body for body in told if isinstance(body, Census)]
    assert (before.when, before.engine, after.when, after.engine) == ("before", "20.10.24", "after", "26.1.5")
    assert after.containers == tuple(one for one in before.containers if one.name != "swarm-agent")
    assert (
        ContainerRow("cache", "redis:3", True, "unless-stopped", ("6379->6379/tcp",), ("bridge",)) in after.containers
    )


def test_the_history_tells_each_changing_step_once(imker) -> None:
    imker.does(Migrate("connewitz", "manager"))
    deeds = imker.fleet.world.history.deeds()
    kinds = [deed.kind for deed in deeds if deed.kind in ("unit", "restart", "init", "join")]
    assert kinds.count("restart") == kinds.count("init") == 1
    assert not [deed for deed in deeds if deed.kind == "join"]
    assert all(deed.ended >= deed.began for deed in deeds)


@pytest.mark.parametrize("name", ["connewitz", "tondi", "lausen"])
def test_hosts_are_shown_as_docker_machine_shows_them(imker, name: str) -> None:
    (table,) = [body for body in imker.does(Hosts()) if isinstance(body, HostTable)]
    row = next(row for row in table.rows if row.name == name)
    assert (row.state, row.docker, row.place, row.error) == ("Running", "v20.10.24", "", "")
