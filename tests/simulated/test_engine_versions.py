"""Query Engines of several ages, and broken swarms, with the real clients over real sockets."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import docker
import pytest
import requests
from redis import Redis

from imker.protocol.commands import Accept, Approval, ListHosts, ListNodes, Migrate, Role
from imker.protocol.events import JobFinished
from jobs.connectors.engine import Engine
from jobs.errors import EngineRefused
from jobs.gather import swarm
from jobs.handlers import containers
from lab.chaos import invariants
from lab.simulated.fleet import Fleet
from tests.simulated.conftest import FAST_PACE, JobRunner


@pytest.fixture
def swarmed(imker: JobRunner) -> JobRunner:
    """Create a swarm with connewitz as manager and tondi as worker."""
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    assert imker.run_job(Migrate("tondi", "worker"))[-1].outcome == "done"
    return imker


def test_lists_and_migrates_an_engine_older_than_swarm_mode(other: Callable[..., Fleet], redis: Redis) -> None:
    """The Docker SDK does not support any API version of this Engine."""
    imker = JobRunner(other("tondi", "kaditz", age="classic"), redis)
    table, ended = imker.run_job(ListHosts())[1:]
    assert [(row.state, row.docker, row.node_role, row.error) for row in table.rows] == [
        ("Running", "v1.11.2", "", "")
    ] * 2
    assert ended == JobFinished("done", "2 hosts")
    assert "there is no swarm yet" in imker.run_job(ListNodes())[-1].summary
    last = imker.run_job(Migrate("tondi", "manager"))[-1]
    assert last.outcome == "done", last
    assert Engine(imker.host("tondi")).version["Version"] == "26.1.5"


@pytest.fixture
def candidates(other: Callable[..., Fleet], redis: Redis) -> JobRunner:
    """Create a swarm of release candidates: connewitz manages it, kaditz is pending, tondi is outside."""
    imker = JobRunner(other("connewitz", "kaditz", "tondi", age="rc"), redis)
    assert _call_engine(imker, "connewitz", "POST", "/v1.24/swarm/init", {}).status_code == 200
    body = {"RemoteAddrs": [f"{imker.host('connewitz').address}:2377"], "Manager": True}
    assert _call_engine(imker, "kaditz", "POST", "/v1.24/swarm/join", body).status_code == 200
    return imker


def test_release_candidate_keeps_a_manager_pending_until_accepted(candidates: JobRunner) -> None:
    def state() -> str:
        return str(Engine(candidates.host("kaditz")).info()["Swarm"]["LocalNodeState"])

    assert "JoinTokens" not in _call_engine(candidates, "connewitz", "GET", "/v1.24/swarm", None).json()
    assert state() == "pending"
    with pytest.raises(EngineRefused, match="Worker nodes can't be used"):
        Engine(candidates.host("kaditz")).nodes()
    manager = Engine(candidates.host("connewitz"))
    (waits,) = [node for node in manager.nodes() if node["Spec"]["Membership"] == "pending"]
    manager.change_node(waits["ID"], lambda spec: {**spec, "Membership": "accepted"})
    assert state() == "active"
    assert [node["ManagerStatus"]["Reachability"] for node in manager.nodes()] == ["reachable", "reachable"]


@pytest.mark.parametrize("name", ["tondi", "connewitz"])
@pytest.mark.parametrize("role", ["manager", "worker"])
def test_refuses_a_swarm_of_release_candidates_without_changes(candidates: JobRunner, name: str, role: Role) -> None:
    last = candidates.run_job(Migrate(name, role))[-1]
    assert last == JobFinished(
        "refused",
        "the swarm runs Docker release candidates (connewitz, kaditz: 1.12.0-rc3), which released Engines cannot join",
        "Nothing was changed.",
        "Run `docker swarm leave --force` on each of its nodes, then migrate them as hosts without a swarm.",
    )
    deeds = candidates.fleet.world.history.actions()
    assert [deed for deed in invariants.changes_in(deeds) if deed.kind in invariants.HOST_CHANGES] == []


def test_release_candidates_have_no_join_token(candidates: JobRunner) -> None:
    with pytest.raises(EngineRefused, match="connewitz sent an invalid response"):
        Engine(candidates.host("connewitz")).worker_token()


def test_lists_a_stale_node_of_the_same_name_as_down(swarmed: JobRunner) -> None:
    swarmed.fleet.world.swarm.add_ghost(swarmed.fleet["tondi"])
    nodes = swarm.list_nodes(Engine(swarmed.host("connewitz")))
    assert sorted((node.hostname, node.state) for node in nodes) == [
        ("connewitz", "ready"),
        ("tondi", "down"),
        ("tondi", "ready"),
    ]
    assert swarmed.run_job(Migrate("tondi", "worker"))[-1].outcome == "unchanged"


def test_reports_a_swarm_without_quorum(swarmed: JobRunner) -> None:
    waiting = swarmed.run_job(Migrate("lausen", "manager"))[-1]
    swarmed.run_job(Accept(waiting.candidate.node), Approval("U02BOB", waiting.fingerprint, time.time()))
    swarmed.fleet["lausen"].dockerd.stop()
    with pytest.raises(EngineRefused, match="The swarm does not have a leader"):
        Engine(swarmed.host("connewitz")).nodes()
    assert "does not have a leader" in json.dumps([str(body) for body in swarmed.run_job(ListNodes())])
    swarmed.fleet["lausen"].dockerd.start()
    assert len(Engine(swarmed.host("connewitz")).nodes()) == 3


def test_asks_again_after_the_swarm_failed_before_the_question(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    swarm, look = imker.fleet.world.swarm, containers.gather_options_and_containers
    connewitz = imker.fleet["connewitz"]

    def locked(*arguments: Any) -> Any:
        swarm.lock_manager(connewitz)
        return look(*arguments)

    monkeypatch.setattr(containers, "gather_options_and_containers", locked)
    last = imker.run_job(Migrate("tondi", "manager"))[-1]
    assert (last.outcome, "connewitz is locked" in last.summary) == ("failed", True), last
    assert "tondi is in the swarm as a drained worker" in last.state
    assert [item.command for item in last.next_commands] == [Migrate("tondi", "manager")]
    swarm.unlock_manager(connewitz)
    assert imker.run_job(Migrate("tondi", "manager"))[-1].question == "accept"


def test_reports_a_locked_manager_after_its_restart(swarmed: JobRunner) -> None:
    swarm = swarmed.fleet.world.swarm
    swarm.autolock = True
    assert Engine(swarmed.host("connewitz")).autolock()
    swarmed.fleet["connewitz"].dockerd.restart()
    engine = Engine(swarmed.host("connewitz"))
    assert engine.info()["Swarm"]["LocalNodeState"] == "locked"
    with pytest.raises(EngineRefused, match="needs to be unlocked"):
        engine.nodes()
    swarm.unlock_manager(swarmed.fleet["connewitz"])
    assert len(engine.nodes()) == 2


def test_join_succeeds_after_the_engine_timed_out(imker: JobRunner) -> None:
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    imker.fleet.world.slow_joins.add("tondi")
    assert imker.run_job(Migrate("tondi", "worker"))[-1].outcome == "done"
    (join,) = imker.fleet.world.history.actions("join", "tondi")
    assert "continue in the background" in join.error


def test_daemon_resumes_a_join_after_its_restart(imker: JobRunner) -> None:
    world = imker.fleet.world
    world.swarm.init(imker.fleet["tondi"])
    world.slow_joins.add("connewitz")
    manager, joins = imker.host("tondi"), Engine(imker.host("connewitz"))
    with pytest.raises(EngineRefused, match="Timeout was reached"):
        joins.join(manager.address, Engine(manager).worker_token(), "active")
    assert joins.info()["Swarm"]["LocalNodeState"] == "pending"
    assert imker.fleet["connewitz"].dockerd.restart()
    assert joins.info()["Swarm"]["LocalNodeState"] == "active"


def test_waits_longer_for_a_join_than_for_other_requests(imker: JobRunner) -> None:
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    imker.fleet.world.slow_joins.add("tondi")
    imker.fleet.world.pace = replace(FAST_PACE, join_timeout=6)
    manager = imker.host("connewitz")
    with pytest.raises(EngineRefused, match="Timeout was reached"):
        Engine(imker.host("tondi"), timeout=5).join(manager.address, Engine(manager).worker_token(), "active")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/v1.41/swarm", None, 503, 'Use "docker swarm init" or "docker swarm join"'),
        ("GET", "/_ping", None, 200, "OK"),
        ("POST", "/v1.41/swarm/leave", {}, 503, "not part of a swarm"),
        ("POST", "/v1.41/swarm/init", {}, 500, "--live-restore daemon configuration is incompatible"),
    ],
)
def test_simulated_api_answers_as_a_real_engine(
    imker: JobRunner, method: str, path: str, body: object, status: int, says: str
) -> None:
    lausen = imker.fleet["lausen"]
    lausen.dockerd.live_restore = True
    answer = _call_engine(imker, "lausen", method, path, body)
    answer_text = answer.text if path == "/_ping" else answer.json()["message"]
    assert (answer.status_code, says in answer_text) == (status, True), answer_text


def _call_engine(imker: JobRunner, name: str, method: str, path: str, body: object) -> requests.Response:
    host = imker.host(name)
    with requests.Session() as session:
        session.trust_env = False
        session.cert = (str(host.tls / "cert.pem"), str(host.tls / "key.pem"))
        session.verify = str(host.tls / "ca.pem")
        return session.request(method, f"https://{host.address}:2376{path}", json=body, timeout=10)


def test_rejects_a_client_without_a_certificate(imker: JobRunner) -> None:
    host = imker.host("connewitz")
    tls = docker.tls.TLSConfig(ca_cert=str(host.tls / "ca.pem"), verify=True)
    client = docker.APIClient(f"https://{host.address}:2376", version="1.41", tls=tls, timeout=10)
    with pytest.raises(requests.exceptions.ConnectionError):
        client.version(api_version=False)
    client.close()
