"""Retiring the key-value store: offered once its last user is gone, whoever that is; and never another's Consul."""

import json
import time
from collections.abc import Callable

import pytest

from jobs.contract import (
    Accept,
    Approval,
    Body,
    Detail,
    Ended,
    Finding,
    Migrate,
    Planned,
    RetireStore,
    Waiting,
)
from lab.simulated.machine import Container, Machine
from tests.lab.simulated.conftest import Imker

STORE = "consulnode01"


def steps(told: list[Body]) -> list[str]:
    return [line.key for body in told if isinstance(body, Planned) for line in body.steps]


def details(told: list[Body]) -> str:
    return "\n".join(f"{body.title}\n{body.text}" for body in told if isinstance(body, Detail))


def yes(asked: Waiting) -> Approval:
    return Approval("U02BOB", asked.fingerprint, time.time())


def founded(imker: Imker) -> None:
    """A swarm with the store's host in it, and tondi still to come: the store stays for it."""
    assert imker.does(Migrate("connewitz", "manager"))[-1] == Ended("done", "connewitz is in the swarm.")
    told = imker.does(Migrate("lausen", "worker"))
    assert "StopStore" not in steps(told)
    assert "consulnode01 stays: tondi may still need it" in findings(told)
    assert told[-1] == Ended("done", "lausen is in the swarm.")
    assert imker.fleet["lausen"].containers[STORE].running


def findings(told: list[Body]) -> str:
    found: list[Finding] = [one for body in told if isinstance(body, Planned) for one in body.findings]
    return "\n".join(one.text for one in found if one.check == "key-value store")


def add(machine: Machine, name: str, image: str, *ports: str) -> Container:
    machine.containers[name] = Container(f"{len(machine.containers):064x}", name, image, "always", ports)
    return machine.containers[name]


@pytest.mark.parametrize("host", ["tondi", "connewitz"])
def test_a_consul_that_no_classic_swarm_names_runs_on(imker: Imker, host: str) -> None:
    machine = imker.fleet[host]
    strangers = [
        add(machine, "metrics", "prom/consul-exporter", "9107:9107"), add(machine, "consul", "consul:1.15", "8500:8500")
    ]  # fmt: skip
    told = imker.does(Migrate(host, "manager"))
    assert "StopStore" not in steps(told)
    assert findings(told) == "none in use here"
    assert [(one.running, one.restart) for one in strangers] == [(True, "always")] * 2
    (nothing,) = [body for body in imker.does(RetireStore(host)) if isinstance(body, Ended)]
    assert nothing.outcome == "nothing"
    assert all(one.running for one in strangers)


def test_its_exporter_beside_it_runs_on(imker: Imker) -> None:
    exporter = add(imker.fleet["lausen"], "aa-metrics", "prom/consul-exporter", "9107:9107")
    for name, role in (("connewitz", "manager"), ("tondi", "worker")):
        imker.does(Migrate(name, role))
    asked = imker.does(Migrate("lausen", "worker"))[-1]
    assert (asked.question, asked.names) == ("store", (STORE,))
    assert (exporter.running, exporter.restart) == (True, "always")


def test_the_last_member_after_the_stores_host_it_is_stopped_by_one_click_and_removed_by_a_second(imker: Imker) -> None:
    founded(imker)
    told = imker.does(Migrate("tondi", "worker"))
    asked = told[-1]
    assert isinstance(asked, Waiting)
    assert (asked.question, asked.host, asked.names) == ("stop", "lausen", (STORE,))
    assert asked.summary.startswith("tondi is in the swarm. Nobody needs consulnode01 on lausen any more.")
    assert "Once it is stopped, these can be closed on lausen: TCP 8500 " in details(told)
    assert "TCP 2377" in details(told)
    containers = imker.fleet["lausen"].containers
    assert containers[STORE].running, "not before somebody says so"
    stopped = imker.does(RetireStore("lausen"), yes(asked))[-1]
    assert isinstance(stopped, Waiting)
    assert (stopped.question, stopped.host) == ("store", "lausen")
    assert (containers[STORE].running, containers[STORE].restart) == (False, "no")
    gone = imker.does(RetireStore("lausen"), yes(stopped))[-1]
    assert gone == Ended("done", "consulnode01 is gone from lausen; its volumes stay")
    assert STORE not in containers


def test_a_manager_to_be_that_was_the_last_is_told_at_once_and_asked_when_it_is_accepted(imker: Imker) -> None:
    founded(imker)
    told = imker.does(Migrate("tondi", "manager"))
    assert isinstance(told[-1], Waiting)
    assert told[-1].question == "accept"
    assert "Nobody needs the key-value store consulnode01 on lausen any more. Stop it: /swarm retire lausen." in (
        told[-1].summary
    )
    asked = imker.does(Accept(told[-1].candidate.node), yes(told[-1]))[-1]
    assert isinstance(asked, Waiting)
    assert (asked.question, asked.host) == ("stop", "lausen")
    assert asked.summary.startswith("tondi is a manager now.")


def test_while_the_stores_host_is_still_to_come_its_own_migration_stops_it_and_nobody_is_asked(imker: Imker) -> None:
    imker.does(Migrate("connewitz", "manager"))
    last = imker.does(Migrate("tondi", "worker"))[-1]
    assert isinstance(last, Ended)
    assert (last.outcome, last.summary) == ("done", "tondi is in the swarm.")
    assert last.hint.endswith("/swarm retire lausen. To migrate lausen stops it as well.")
    assert "StopStore" in steps(imker.does(Migrate("lausen", "worker")))


def test_one_that_a_job_stopped_before_it_died_is_asked_about_by_the_next_and_told_after(imker: Imker) -> None:
    for name, role in (("connewitz", "manager"), ("tondi", "worker")):
        imker.does(Migrate(name, role))
    store = imker.fleet["lausen"].containers[STORE]
    store.running, store.restart = False, "no"
    told = imker.does(Migrate("lausen", "worker"))
    assert "StopStore" not in steps(told)
    assert isinstance(told[-1], Waiting)
    assert (told[-1].question, store.running) == ("store", False)
    assert "These can be closed on lausen: TCP 8500 " in details(told)
    again = imker.does(Migrate("lausen", "worker"))[-1]
    assert isinstance(again, Ended)
    assert again.hint == (
        "consulnode01 on lausen is stopped, and nobody needs it any more. Remove it: /swarm retire lausen."
    )


# --- who still needs it -----------------------------------------------------------------------------------------------


def unknown_to_docker_machine(imker: Imker) -> None:
    """tondi's options were put there by hand."""
    path = imker.fleet.folder / "docker-machine/machines/tondi/config.json"
    document = json.loads(path.read_text())
    document["HostOptions"]["SwarmOptions"]["Discovery"] = ""
    document["HostOptions"]["EngineOptions"]["ArbitraryFlags"] = []
    path.write_text(json.dumps(document))


def by_name(imker: Imker) -> None:
    path = imker.fleet.folder / "docker-machine/machines/tondi/config.json"
    path.write_text(path.read_text().replace(f"consul://{imker.host('lausen').address}", "consul://lausen"))


def away(imker: Imker) -> None:
    imker.fleet["tondi"].power(False)


@pytest.mark.parametrize("so", [unknown_to_docker_machine, by_name, away])
def test_as_long_as_a_member_needs_it_it_stays_however_it_is_known(imker: Imker, so: Callable[[Imker], None]) -> None:
    so(imker)
    imker.does(Migrate("connewitz", "manager"), Approval("U02BOB", "", 0.0))
    refused = imker.does(RetireStore("lausen"))[-1]
    assert (refused.outcome, refused.summary) == ("refused", "tondi may still need consulnode01")
    assert imker.fleet["lausen"].containers[STORE].running
