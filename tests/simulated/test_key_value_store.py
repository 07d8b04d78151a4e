"""Retire the key-value store: offered once no host uses it anymore, and never for an unrelated Consul."""

import json
import time
from collections.abc import Callable

import pytest

from imker.protocol.commands import Accept, Approval, Migrate, RetireStore
from imker.protocol.events import DecisionRequested, EventBody, JobFinished, Planned, ThreadDetail
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Finding
from lab.simulated.machine import Machine
from lab.simulated.parts import Container
from tests.simulated.conftest import JobRunner

STORE = "consulnode01"


def steps(events: list[EventBody]) -> list[str]:
    return [line.key for body in events if isinstance(body, Planned) for line in body.steps]


def details(events: list[EventBody]) -> str:
    return "\n".join(f"{body.title}\n{body.text}" for body in events if isinstance(body, ThreadDetail))


def yes(question: DecisionRequested) -> Approval:
    return Approval("U02BOB", question.fingerprint, time.time())


def create_swarm(imker: JobRunner) -> None:
    """Create a swarm with the host of the store; tondi, not migrated yet, still needs the store."""
    assert imker.run_job(Migrate("connewitz", "manager"))[-1] == JobFinished("done", "connewitz is in the swarm.")
    events = imker.run_job(Migrate("lausen", "worker"))
    assert "StopStore" not in steps(events)
    assert "consulnode01 keeps running: tondi may still use it" in findings(events)
    assert events[-1] == JobFinished("done", "lausen is in the swarm.")
    assert imker.fleet["lausen"].containers[STORE].running


def findings(events: list[EventBody]) -> str:
    results: list[Finding] = [finding for body in events if isinstance(body, Planned) for finding in body.findings]
    return "\n".join(finding.text for finding in results if finding.check == "key-value store")


def add(machine: Machine, name: str, image: str, *ports: str) -> Container:
    machine.containers[name] = Container(f"{len(machine.containers):064x}", name, image, "always", ports)
    return machine.containers[name]


@pytest.mark.parametrize("host", ["tondi", "connewitz"])
def test_keeps_a_consul_that_no_classic_swarm_refers_to(imker: JobRunner, host: str) -> None:
    machine = imker.fleet[host]
    strangers = [
        add(machine, "metrics", "prom/consul-exporter", "9107:9107"), add(machine, "consul", "consul:1.15", "8500:8500")
    ]  # fmt: skip
    events = imker.run_job(Migrate(host, "manager"))
    assert "StopStore" not in steps(events)
    assert findings(events) == "none in use on this host"
    assert [(stranger.running, stranger.restart) for stranger in strangers] == [(True, "always")] * 2
    (nothing,) = [body for body in imker.run_job(RetireStore(host)) if isinstance(body, JobFinished)]
    assert nothing.outcome == "unchanged"
    assert all(stranger.running for stranger in strangers)


def test_keeps_the_exporter_of_the_store(imker: JobRunner) -> None:
    exporter = add(imker.fleet["lausen"], "aa-metrics", "prom/consul-exporter", "9107:9107")
    for name, role in (("connewitz", "manager"), ("tondi", "worker")):
        imker.run_job(Migrate(name, role))
    question = imker.run_job(Migrate("lausen", "worker"))[-1]
    assert (question.question, question.names) == ("remove_store", (STORE,))
    assert (exporter.running, exporter.restart) == (True, "always")


def test_last_member_offers_to_stop_and_then_to_remove_the_store(
    imker: JobRunner,
) -> None:
    create_swarm(imker)
    events = imker.run_job(Migrate("tondi", "worker"))
    question = events[-1]
    assert isinstance(question, DecisionRequested)
    assert (question.question, question.host, question.names) == ("stop_store", "lausen", (STORE,))
    assert question.summary.startswith("tondi is in the swarm. No host uses consulnode01 on lausen anymore.")
    assert "When the store is stopped, you can close these ports on lausen: TCP 8500 and" in details(events)
    assert "TCP 2377" in details(events)
    containers = imker.fleet["lausen"].containers
    assert containers[STORE].running, "it is stopped only after an approval"
    stopped = imker.run_job(RetireStore("lausen"), yes(question))[-1]
    assert isinstance(stopped, DecisionRequested)
    assert (stopped.question, stopped.host) == ("remove_store", "lausen")
    assert (containers[STORE].running, containers[STORE].restart) == (False, "no")
    gone = imker.run_job(RetireStore("lausen"), yes(stopped))[-1]
    assert gone == JobFinished("done", "removed consulnode01 from lausen. Its volumes are kept")
    assert STORE not in containers


def test_pending_manager_reports_the_unused_store_and_asks_after_acceptance(imker: JobRunner) -> None:
    create_swarm(imker)
    events = imker.run_job(Migrate("tondi", "manager"))
    assert isinstance(events[-1], DecisionRequested)
    assert events[-1].question == "accept"
    assert "No host uses the key-value store consulnode01 on lausen anymore." in events[-1].summary
    assert events[-1].next_commands == (NextCommand(RetireStore("lausen"), f"stop {STORE}"),)
    question = imker.run_job(Accept(events[-1].candidate.node), yes(events[-1]))[-1]
    assert isinstance(question, DecisionRequested)
    assert (question.question, question.host) == ("stop_store", "lausen")
    assert question.summary.startswith("tondi is a manager now.")


def test_migrating_the_last_host_stops_its_own_store_without_a_question(
    imker: JobRunner,
) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    last = imker.run_job(Migrate("tondi", "worker"))[-1]
    assert isinstance(last, JobFinished)
    assert (last.outcome, last.summary) == ("done", "tondi is in the swarm.")
    assert last.hint.endswith("anymore. Migrating lausen stops it as well.")
    assert last.next_commands == (NextCommand(RetireStore("lausen"), f"stop {STORE}"),)
    assert "StopStore" in steps(imker.run_job(Migrate("lausen", "worker")))


def test_asks_about_a_store_that_a_crashed_job_stopped(imker: JobRunner) -> None:
    for name, role in (("connewitz", "manager"), ("tondi", "worker")):
        imker.run_job(Migrate(name, role))
    store = imker.fleet["lausen"].containers[STORE]
    store.running, store.restart = False, "no"
    events = imker.run_job(Migrate("lausen", "worker"))
    assert "StopStore" not in steps(events)
    assert isinstance(events[-1], DecisionRequested)
    assert (events[-1].question, store.running) == ("remove_store", False)
    assert "Now you can close these ports on lausen: TCP 8500 and" in details(events)
    again = imker.run_job(Migrate("lausen", "worker"))[-1]
    assert isinstance(again, JobFinished)
    assert again.hint == "consulnode01 on lausen is stopped and unused."
    assert again.next_commands == (NextCommand(RetireStore("lausen"), f"remove {STORE}"),)


# --- who still needs it -----------------------------------------------------------------------------------------------


def unknown_to_docker_machine(imker: JobRunner) -> None:
    """Set the options of tondi manually, without docker-machine."""
    path = imker.fleet.folder / "docker-machine/machines/tondi/config.json"
    document = json.loads(path.read_text())
    document["HostOptions"]["SwarmOptions"]["Discovery"] = ""
    document["HostOptions"]["EngineOptions"]["ArbitraryFlags"] = []
    path.write_text(json.dumps(document))


def by_name(imker: JobRunner) -> None:
    path = imker.fleet.folder / "docker-machine/machines/tondi/config.json"
    path.write_text(path.read_text().replace(f"consul://{imker.host('lausen').address}", "consul://lausen"))


def away(imker: JobRunner) -> None:
    imker.fleet["tondi"].on_power_change(False)


@pytest.mark.parametrize("so", [unknown_to_docker_machine, by_name, away])
def test_keeps_the_store_while_any_member_uses_it(imker: JobRunner, so: Callable[[JobRunner], None]) -> None:
    so(imker)
    imker.run_job(Migrate("connewitz", "manager"), Approval("U02BOB", "", 0.0))
    refused = imker.run_job(RetireStore("lausen"))[-1]
    assert (refused.outcome, refused.summary) == ("refused", "tondi may still use consulnode01")
    assert imker.fleet["lausen"].containers[STORE].running
