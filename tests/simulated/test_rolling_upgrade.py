"""Upgrade a swarm that is already in swarm mode, node by node, each drained meanwhile."""

import pytest

from imker.protocol.commands import Approval, Migrate, MigrateAll
from imker.protocol.events import DecisionRequested, EventBody, FleetPlanned, JobFinished, StepDone
from lab.fleet import daemon_option_files
from tests.simulated.conftest import HOST_NAMES, JobRunner

MANAGERS = ("connewitz", "tondi")


def swarmed(imker: JobRunner) -> None:
    """Create a swarm of two managers and a worker on 20.10, without any classic Swarm."""
    swarm = imker.fleet.world.swarm
    for name in HOST_NAMES:
        machine = imker.fleet[name]
        for path, text in daemon_option_files.option_files(machine.lab_host, classic=False).items():
            machine.disk.write(path, text)
        for classic, *_ in machine.lab_host.classic_containers:
            del machine.containers[classic]
        assert machine.dockerd.restart()
        if name == MANAGERS[0]:
            swarm.init(machine)
            continue
        swarm.join(
            machine, {"RemoteAddrs": [f"{imker.host(MANAGERS[0]).address}:2377"], "JoinToken": token(imker, name)}
        )
        swarm.finish_join(machine)


def token(imker: JobRunner, name: str) -> str:
    return imker.fleet.world.swarm.tokens["Manager" if name in MANAGERS else "Worker"]


def role(name: str) -> str:
    return "manager" if name in MANAGERS else "worker"


def yes(events: list[EventBody]) -> Approval:
    (question,) = [body for body in events if isinstance(body, DecisionRequested)]
    return Approval("U01ALICE", question.fingerprint, 0.0)


def test_upgrades_one_node_at_a_time_and_the_leader_last(imker: JobRunner) -> None:
    swarmed(imker)
    (fleet,) = [body for body in imker.run_job(MigrateAll()) if isinstance(body, FleetPlanned)]
    assert [(leg.host, leg.wave) for leg in fleet.host_plans] == [("tondi", 0), ("connewitz", 1), ("lausen", 2)]
    for name in (leg.host for leg in fleet.host_plans):
        events = imker.run_job(Migrate(name, role(name)))
        events = (
            imker.run_job(Migrate(name, role(name)), yes(events))
            if isinstance(events[-1], DecisionRequested)
            else events
        )
        assert events[-1] == JobFinished("done", f"{name} is in the swarm.")
        result = [body.key for body in events if isinstance(body, StepDone)]
        assert (
            result.index("DrainNode")
            < result.index("RestartEngine")
            < result.index("WaitForReady")
            < result.index("ActivateNode")
        )
        assert ("WaitForReachable" in result) is (name in MANAGERS)
    nodes = imker.fleet.world.swarm.nodes.values()
    assert {(node.hostname, node.engine_version, node.availability, len(node.labels)) for node in nodes} == {
        (name, "26.1.5", "active", 0) for name in HOST_NAMES
    }
    assert imker.run_job(MigrateAll())[-1] == JobFinished("unchanged", "nothing to do: all 3 hosts are in the swarm")


def test_reactivates_a_node_after_a_failed_upgrade_and_allows_a_retry(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.execute.restart.ANSWER_TIMEOUT", 1)
    swarmed(imker)
    dockerd = imker.fleet["lausen"].dockerd
    refusal = dockerd.refusal
    broken = lambda: "exec format error" if dockerd.installed_version().startswith("26") else refusal()  # noqa: E731
    events = imker.run_job(Migrate("lausen", "worker"))
    with monkeypatch.context() as patch:
        patch.setattr(dockerd, "refusal", broken)
        last = imker.run_job(Migrate("lausen", "worker"), yes(events))[-1]
    assert (last.outcome, dockerd.version) == ("rolled_back", "20.10.24")
    assert "Engine 20.10.24 runs there" in last.state
    (node,) = [node for node in imker.fleet.world.swarm.nodes.values() if node.hostname == "lausen"]
    assert (node.availability, node.labels) == ("active", {})
    again = imker.run_job(Migrate("lausen", "worker"))
    assert imker.run_job(Migrate("lausen", "worker"), yes(again))[-1] == JobFinished("done", "lausen is in the swarm.")
    assert (node.engine_version, node.availability, node.labels) == ("26.1.5", "active", {})
