"""The named checks, as a plan on simulated hosts tells them: all of them, whatever the host is to become."""

from collections import Counter

import pytest

from jobs.contract import FleetPlanned, Migrate, MigrateAll, PlanHost, Planned
from jobs.errors import Unreachable
from jobs.inventory import Host
from jobs.ssh import SshShell
from lab.fleet.options import DEFAULTS
from lab.simulated.commands import typed
from lab.simulated.machine import Machine
from lab.simulated.said import Said

NAMES = {
    "SSH", "sudo", "host key", "clock", "disk", "init system", "apt lock", "dpkg", "candidate version",
    "engine versions", "storage driver", "live-restore", "firewall backend", "options given twice", "labels",
    "options without a reader", "Engine API", "TLS certificate", "restart policies", "classic overlay networks",
    "key-value store", "address", "ports", "address pool", "MTU", "iptables", "docker group", "autolock", "quorum",
}  # fmt: skip


def planned(told: list) -> dict[str, list]:
    """The last plan's findings, by name."""
    findings = [body for body in told if isinstance(body, Planned)][-1].findings
    return {check: [one for one in findings if one.check == check] for check in {one.check for one in findings}}


@pytest.mark.parametrize(
    ("before", "host", "role", "quorum"),
    [
        ((), "connewitz", "manager", "no swarm yet; with this one 1 manager: none may fail"),
        (("connewitz",), "tondi", "manager", "now 1 manager: none may fail; with this one 2 managers: none may fail"),
        (("connewitz",), "tondi", "worker", "now 1 manager: none may fail; that stays so"),
        (("connewitz",), "connewitz", "manager", "now 1 manager: none may fail; that stays so"),
    ],
)
def test_every_check_is_named_in_every_plan(imker, before: tuple[str, ...], host: str, role: str, quorum: str) -> None:
    for name in before:
        assert imker.does(Migrate(name, "manager"))[-1].outcome == "done"
    found = planned(imker.does(PlanHost(host, role)))
    assert set(found) >= NAMES
    assert {one.level for ones in found.values() for one in ones} == {"pass"}
    assert found["quorum"][0].text[: len(quorum)] == quorum


def without_sudo(machine: Machine, line: str, *rest: str) -> Said:
    return Said(1, "", "sudo: a password is required\n") if line.startswith("sudo ") else typed(machine, line, *rest)


@pytest.mark.parametrize(
    ("fault", "check", "says"),
    [
        ("key", "host key", "tondi's SSH host key is not the one in known_hosts"),
        ("off", "SSH", "tondi (127."),
        ("sudo", "sudo", "geschke may not use sudo on tondi"),
        ("apt", "candidate version", "asking apt for the new Engine failed on tondi"),
    ],
)
def test_what_no_look_gets_past_is_told_as_its_check(imker, monkeypatch, fault: str, check: str, says: str) -> None:
    machine, known = imker.fleet["tondi"], imker.settings.inventory.known_hosts
    text = known.read_text()
    match fault:
        case "key":
            keys = [line.split()[2] for line in text.splitlines()]
            lines = zip(text.splitlines(), keys[1:] + keys[:1], strict=True)
            known.write_text("".join(f"{line.rsplit(' ', 1)[0]} {key}\n" for line, key in lines))
        case "off":
            machine.power(False)
        case "sudo":
            monkeypatch.setattr("lab.simulated.ssh.typed", without_sudo)
        case "apt":
            machine.apt_fails = True
    try:
        told = imker.does(PlanHost("tondi", "manager"))
    finally:
        known.write_text(text)
    (finding,) = planned(told)[check]
    assert (finding.level, finding.text[: len(says)]) == ("block", says)
    assert finding.hint
    assert told[-1].outcome == "failed"


def test_a_fleets_plan_names_the_check_too(imker) -> None:
    imker.fleet["tondi"].apt_fails = True
    (found_,) = [body for body in imker.does(MigrateAll()) if isinstance(body, FleetPlanned)]
    blocks = [(leg.host, one.check) for leg in found_.legs for one in leg.findings if one.level == "block"]
    assert blocks == [("tondi", "candidate version")]


def test_a_manager_that_ssh_does_not_reach_is_no_failed_plan(imker, monkeypatch) -> None:
    """The swarm answers; only the ports to it cannot be tried."""
    assert imker.does(Migrate("connewitz", "manager"))[-1].outcome == "done"
    enter = imker.shell
    monkeypatch.setattr(imker, "shell", lambda host: away(host) if host.name == "connewitz" else enter(host))
    told = imker.does(PlanHost("tondi", "worker"))
    (ports,) = planned(told)["ports"]
    assert (ports.level, ports.text) == ("warn", "could not be tried, tondi to connewitz: connewitz is away")
    assert told[-1].outcome == "done"


def test_a_host_that_is_lost_between_look_and_probe_stops_no_fleets_plan(imker, monkeypatch) -> None:
    enter, entered = imker.shell, Counter()

    def second_fails(host: Host) -> SshShell:
        entered[host.name] += 1
        return away(host) if host.name == "tondi" and entered["tondi"] == 2 else enter(host)

    monkeypatch.setattr(imker, "shell", second_fails)
    (found,) = [body for body in imker.does(MigrateAll()) if isinstance(body, FleetPlanned)]
    ports = {leg.host: [one.text for one in leg.findings if one.check == "ports"] for leg in found.legs}
    assert ports["connewitz"] == ["could not be tried, connewitz to tondi: tondi is away"]


def test_an_engine_with_its_socket_alone_is_left_alone(imker) -> None:
    """It would be upgraded, and nobody could tell whether it came back."""
    machine = imker.fleet["tondi"]
    machine.disk.texts[DEFAULTS] = "DOCKER_OPTS='-H unix:///var/run/docker.sock'\n"
    machine.dockerd.restart()
    told = imker.does(PlanHost("tondi", "manager"))
    assert [one.level for one in planned(told)["Engine API"]] == ["block"]
    last = imker.does(Migrate("tondi", "manager"))[-1]
    assert (last.outcome, last.state) == ("refused", "Nothing was changed.")
    assert machine.dockerd.version == "20.10.24"
    assert "swarm-agent" in machine.containers


def away(host: Host) -> SshShell:
    raise Unreachable(f"{host.name} is away", host=host.name)
