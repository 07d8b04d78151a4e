"""Test the named checks in a plan for simulated hosts: every plan reports all of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from imker.protocol.commands import Migrate, MigrateAll, PlanHost
from imker.protocol.events import EventBody, FleetPlanned, Planned
from imker.protocol.values import Finding
from jobs.connectors.ssh import SshShell
from jobs.errors import Unreachable
from jobs.facts.machine import MachineIdentity
from jobs.facts.ports import PortProbe
from jobs.gather.fleet import probe_ports
from jobs.inventory.model import Host
from lab.fleet.daemon_option_files import DEFAULTS_PATH
from lab.simulated.commands import run_line
from lab.simulated.machine import Machine
from lab.simulated.output import Output
from tests.simulated.conftest import JobRunner

NAMES = {
    "SSH", "sudo", "host key", "own host", "clock", "disk", "init system", "apt lock", "dpkg", "candidate version",
    "engine versions", "storage driver", "live-restore", "firewall backend", "options given twice", "labels",
    "options without a reader", "Engine API", "TLS certificate", "restart policies", "classic overlay networks",
    "key-value store", "address", "ports", "address pool", "MTU", "iptables", "docker group", "autolock", "quorum",
}  # fmt: skip


def findings_by_check(events: list[EventBody]) -> dict[str, list[Finding]]:
    """Return the findings of the last plan by check."""
    findings = [body for body in events if isinstance(body, Planned)][-1].findings
    return {
        check: [finding for finding in findings if finding.check == check]
        for check in {finding.check for finding in findings}
    }


@pytest.mark.parametrize(
    ("before", "host", "role", "quorum"),
    [
        ((), "connewitz", "manager", "no swarm yet; with this one 1 manager (survives no loss)"),
        (
            ("connewitz",),
            "tondi",
            "manager",
            "now 1 manager (survives no loss); with this one 2 managers (survives no loss",
        ),
        (("connewitz",), "tondi", "worker", "now 1 manager (survives no loss); unchanged"),
        (("connewitz",), "connewitz", "manager", "now 1 manager (survives no loss); unchanged"),
    ],
)
def test_reports_every_check_in_every_plan(
    imker: JobRunner, before: tuple[str, ...], host: str, role: str, quorum: str
) -> None:
    for name in before:
        assert imker.run_job(Migrate(name, "manager"))[-1].outcome == "done"
    by_check = findings_by_check(imker.run_job(PlanHost(host, role)))
    assert set(by_check) >= NAMES
    assert {item.level for ones in by_check.values() for item in ones} == {"pass"}
    assert by_check["quorum"][0].text[: len(quorum)] == quorum


@pytest.mark.parametrize("in_container", [False, True])
def test_refuses_the_host_that_its_rq_worker_runs_on(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch, in_container: bool
) -> None:
    machine = imker.fleet["tondi"]
    machine_id = "of-the-image" if in_container else machine.machine_id
    identity = MachineIdentity(machine_id, machine.boot_id, in_container)
    monkeypatch.setattr("jobs.handlers.assessment.read_own_machine", lambda: identity)
    imker.run_job(Migrate("connewitz", "manager"))
    refused = imker.run_job(Migrate("tondi", "worker"))[-1]
    where = "in a container on" if in_container else "on"
    assert refused.outcome == "refused"
    assert refused.summary == f"this RQ worker runs {where} tondi, and the migration would stop it halfway"
    assert "no host of the inventory" in refused.hint
    assert not imker.fleet.world.history.actions("restart", "tondi")


def without_sudo(machine: Machine, line: str, *rest: str) -> Output:
    return (
        Output(1, "", "sudo: a password is required\n") if line.startswith("sudo ") else run_line(machine, line, *rest)
    )


@pytest.mark.parametrize(
    ("fault", "check", "says"),
    [
        ("key", "host key", "tondi's SSH host key differs from the one in known_hosts"),
        ("off", "SSH", "tondi (127."),
        ("sudo", "sudo", "geschke has no passwordless sudo on tondi"),
        ("apt", "candidate version", "querying apt for Engine versions failed on tondi"),
    ],
)
def test_reports_a_host_that_cannot_be_inspected_as_a_failed_check(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch, fault: str, check: str, says: str
) -> None:
    machine, known_hosts = imker.fleet["tondi"], imker.settings.inventory.known_hosts
    text = known_hosts.read_text()
    match fault:
        case "key":
            keys = [line.split()[2] for line in text.splitlines()]
            lines = zip(text.splitlines(), keys[1:] + keys[:1], strict=True)
            known_hosts.write_text("".join(f"{line.rsplit(' ', 1)[0]} {key}\n" for line, key in lines))
        case "off":
            machine.on_power_change(False)
        case "sudo":
            monkeypatch.setattr("lab.simulated.ssh_server.run_line", without_sudo)
        case "apt":
            machine.apt_fails = True
    try:
        events = imker.run_job(PlanHost("tondi", "manager"))
    finally:
        known_hosts.write_text(text)
    (finding,) = findings_by_check(events)[check]
    assert (finding.level, finding.text[: len(says)]) == ("block", says)
    assert finding.hint
    assert events[-1].outcome == "failed"


def test_fleet_plan_names_the_failed_check(imker: JobRunner) -> None:
    imker.fleet["tondi"].apt_fails = True
    (fleet_plan,) = [body for body in imker.run_job(MigrateAll()) if isinstance(body, FleetPlanned)]
    blocks = [
        (leg.host, finding.check)
        for leg in fleet_plan.host_plans
        for finding in leg.findings
        if finding.level == "block"
    ]
    assert blocks == [("tondi", "candidate version")]


def test_plans_although_a_manager_is_unreachable_over_ssh(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The swarm answers; only the ports of that manager cannot be probed."""
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    enter = imker.shell
    monkeypatch.setattr(imker, "shell", lambda host: away(host) if host.name == "connewitz" else enter(host))
    events = imker.run_job(PlanHost("tondi", "worker"))
    (ports,) = findings_by_check(events)["ports"]
    assert (ports.level, ports.text) == ("warn", "could not be tested, tondi to connewitz: connewitz is away")
    assert events[-1].outcome == "done"


def test_fleet_plan_survives_a_host_lost_before_the_port_probe(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_tondi_first(*arguments: Any) -> Sequence[PortProbe]:
        imker.fleet.reset_ssh("tondi")
        return probe_ports(*arguments)

    monkeypatch.setattr("jobs.handlers.fleet.probe_ports", lose_tondi_first)
    (matches,) = [body for body in imker.run_job(MigrateAll()) if isinstance(body, FleetPlanned)]
    ports = {
        leg.host: [finding.text for finding in leg.findings if finding.check == "ports"] for leg in matches.host_plans
    }
    assert [text.partition(", outcome")[0] for text in ports["connewitz"]] == [
        "could not be tested, connewitz to tondi: lost the connection to tondi during systemd-run"
    ]


def test_refuses_an_engine_without_a_tcp_port(imker: JobRunner) -> None:
    """Without the port, Imker could not verify after an upgrade that the Engine restarted."""
    machine = imker.fleet["tondi"]
    machine.disk.texts[DEFAULTS_PATH] = "DOCKER_OPTS='-H unix:///var/run/docker.sock'\n"
    machine.dockerd.restart()
    events = imker.run_job(PlanHost("tondi", "manager"))
    assert [item.level for item in findings_by_check(events)["Engine API"]] == ["block"]
    last = imker.run_job(Migrate("tondi", "manager"))[-1]
    assert (last.outcome, last.state) == ("refused", "Nothing was changed.")
    assert machine.dockerd.version == "20.10.24"
    assert "swarm-agent" in machine.containers


def away(host: Host) -> SshShell:
    raise Unreachable(f"{host.name} is away", host=host.name)
