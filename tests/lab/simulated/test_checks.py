"""The named checks, as a plan on simulated hosts tells them: all of them, whatever the host is to become."""

import pytest

from jobs.contract import FleetPlanned, Migrate, MigrateAll, PlanHost, Planned
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
    (planned_,) = [body for body in imker.does(MigrateAll()) if isinstance(body, FleetPlanned)]
    blocks = [(leg.host, one.check) for leg in planned_.legs for one in leg.findings if one.level == "block"]
    assert blocks == [("tondi", "candidate version")]
