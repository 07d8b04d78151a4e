"""A swarm that is in swarm mode already, on an older Engine: its nodes are upgraded one by one, and spared."""

from jobs.contract import Approval, Body, Ended, FleetPlanned, Migrate, MigrateAll, StepDone, Waiting
from lab.fleet import options
from tests.lab.simulated.conftest import THREE, Imker

MANAGERS = ("connewitz", "tondi")


def swarmed(imker: Imker) -> None:
    """As somebody else has made it: two managers and a worker, all on 20.10, and nothing of a classic Swarm."""
    swarm = imker.fleet.world.swarm
    for name in THREE:
        machine = imker.fleet[name]
        for path, text in options.files(machine.about, classic=False).items():
            machine.disk.write(path, text)
        for classic, *_ in machine.about.classic:
            del machine.containers[classic]
        assert machine.dockerd.restart()
        if name == MANAGERS[0]:
            swarm.init(machine)
            continue
        swarm.join(
            machine, {"RemoteAddrs": [f"{imker.host(MANAGERS[0]).address}:2377"], "JoinToken": token(imker, name)}
        )
        swarm.joined(machine)


def token(imker: Imker, name: str) -> str:
    return imker.fleet.world.swarm.tokens["Manager" if name in MANAGERS else "Worker"]


def role(name: str) -> str:
    return "manager" if name in MANAGERS else "worker"


def yes(told: list[Body]) -> Approval:
    (asked,) = [body for body in told if isinstance(body, Waiting)]
    return Approval("U01ALICE", asked.fingerprint, 0.0)


def test_all_of_it_leader_last_of_the_managers_each_alone_and_at_work_again(imker: Imker) -> None:
    swarmed(imker)
    (fleet,) = [body for body in imker.does(MigrateAll()) if isinstance(body, FleetPlanned)]
    assert [(leg.host, leg.wave) for leg in fleet.legs] == [("tondi", 0), ("connewitz", 1), ("lausen", 2)]
    for name in (leg.host for leg in fleet.legs):
        told = imker.does(Migrate(name, role(name)))
        told = imker.does(Migrate(name, role(name)), yes(told)) if isinstance(told[-1], Waiting) else told
        assert told[-1] == Ended("done", f"{name} is in the swarm.")
        done = [body.key for body in told if isinstance(body, StepDone)]
        assert done.index("DrainNode") < done.index("RestartEngine") < done.index("CheckNode") < done.index("Activate")
        assert ("AwaitReachable" in done) is (name in MANAGERS)
    nodes = imker.fleet.world.swarm.nodes.values()
    assert {(node.hostname, node.engine, node.availability, len(node.labels)) for node in nodes} == {
        (name, "26.1.5", "active", 0) for name in THREE
    }
    assert imker.does(MigrateAll())[-1] == Ended("nothing", "nothing to do: all 3 hosts are in the swarm")


def test_one_whose_new_engine_does_not_start_does_what_it_did_and_the_next_run_may_try_again(
    imker: Imker, monkeypatch
) -> None:
    monkeypatch.setattr("jobs.execute.restart.WITHIN", 1)
    swarmed(imker)
    dockerd = imker.fleet["lausen"].dockerd
    refusal = dockerd.refusal
    broken = lambda: "exec format error" if dockerd.installed().startswith("26") else refusal()  # noqa: E731
    told = imker.does(Migrate("lausen", "worker"))
    with monkeypatch.context() as patch:
        patch.setattr(dockerd, "refusal", broken)
        last = imker.does(Migrate("lausen", "worker"), yes(told))[-1]
    assert (last.outcome, dockerd.version) == ("restored", "20.10.24")
    assert "Engine 20.10.24 runs there" in last.state
    (node,) = [node for node in imker.fleet.world.swarm.nodes.values() if node.hostname == "lausen"]
    assert (node.availability, node.labels) == ("active", {})
    again = imker.does(Migrate("lausen", "worker"))
    assert imker.does(Migrate("lausen", "worker"), yes(again))[-1] == Ended("done", "lausen is in the swarm.")
    assert (node.engine, node.availability, node.labels) == ("26.1.5", "active", {})
