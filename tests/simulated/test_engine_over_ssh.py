"""Migrate hosts whose Engine opens no TCP port: its API is reached through the SSH connection."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol.commands import Accept, Approval, ListHosts, ListNodes, Migrate, PlanHost, RunDoctor
from imker.protocol.events import ChecksCompleted, DecisionRequested, HostTable, JobFinished, NodeTable, Planned
from jobs.connectors.engine import Engine
from jobs.connectors.engine_opener import EngineOpener
from jobs.connectors.shared_shells import share_shells
from jobs.errors import JobError
from lab.fleet.daemon_option_files import DEFAULTS_PATH
from lab.simulated.fleet import Fleet, run_fleet, select_hosts
from tests.simulated.conftest import FAST_PACE, HOST_NAMES, JobRunner


@pytest.fixture(scope="module")
def everything_over_ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    hosts = tuple(replace(host, engine_over="ssh") for host in select_hosts(HOST_NAMES))
    with run_fleet(hosts, tmp_path_factory.mktemp("over-ssh"), FAST_PACE) as fleet:
        yield fleet


@pytest.fixture
def over_ssh(everything_over_ssh: Fleet, redis: Redis) -> Iterator[JobRunner]:
    """Return hosts without a TCP port and without client certificates. tondi's user is in the group docker."""
    everything_over_ssh.reset()
    everything_over_ssh["tondi"].groups.add("docker")
    for key in Path(everything_over_ssh.folder).glob("docker-machine/**/key.pem"):
        key.unlink()
    yield JobRunner(everything_over_ssh, redis)
    assert everything_over_ssh.world.history.unknown_requests == []


def test_migrates_hosts_without_a_tcp_port(over_ssh: JobRunner) -> None:
    assert not any(machine.dockerd.tls for machine in over_ssh.fleet.world.machines.values())
    assert over_ssh.run_job(Migrate("connewitz", "manager"))[-1] == JobFinished("done", "connewitz joined the swarm.")
    waiting = over_ssh.run_job(Migrate("tondi", "manager"))[-1]
    assert isinstance(waiting, DecisionRequested)
    approval = Approval("U02BOB", waiting.fingerprint, time.time())
    assert "tondi is a manager now" in over_ssh.run_job(Accept(waiting.candidate.node), approval)[-1].summary
    over_ssh.run_job(Migrate("lausen", "worker"))
    for name, role in (("connewitz", "manager"), ("tondi", "manager"), ("lausen", "worker")):
        assert over_ssh.run_job(Migrate(name, role))[-1].outcome == "unchanged"
    (table,) = [body for body in over_ssh.run_job(ListNodes()) if isinstance(body, NodeTable)]
    rows = {row.hostname: (row.status, row.manager_status, row.engine) for row in table.rows}
    assert rows == {
        "connewitz": ("Ready", "Leader", "26.1.5"),
        "lausen": ("Ready", "", "26.1.5"),
        "tondi": ("Ready", "Reachable", "26.1.5"),
    }
    options = over_ssh.fleet["tondi"].disk.texts[DEFAULTS_PATH]
    assert "unix:///var/run/docker.sock" in options
    assert "tcp://" not in options


def test_shows_how_each_engine_is_reached(over_ssh: JobRunner) -> None:
    (table,) = [body for body in over_ssh.run_job(ListHosts()) if isinstance(body, HostTable)]
    tondi = over_ssh.host("tondi")
    assert {row.state for row in table.rows} == {"Running"}
    assert f"ssh://{tondi.address}:2222" in {row.url for row in table.rows}


def test_the_plan_verifies_the_engine_over_ssh(over_ssh: JobRunner) -> None:
    plan = next(body for body in over_ssh.run_job(PlanHost("tondi", "manager")) if isinstance(body, Planned))
    api = next(finding for finding in plan.findings if finding.check == "Engine API")
    assert (api.level, api.text) == ("pass", "answers over SSH")


def test_the_doctor_needs_no_certificates(over_ssh: JobRunner) -> None:
    (checks,) = [body for body in over_ssh.run_job(RunDoctor()) if isinstance(body, ChecksCompleted)]
    levels = {finding.check: finding.level for finding in checks.findings if "tondi" in finding.check}
    assert levels == {"SSH to tondi": "pass", "Engine of tondi": "pass"}


def test_one_ssh_connection_serves_commands_and_the_engine(
    over_ssh: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    shell = over_ssh.shell
    monkeypatch.setattr(over_ssh, "shell", lambda host: opened.append(host.name) or shell(host))
    over_ssh.run_job(PlanHost("tondi", "manager"))
    assert sorted(opened) == sorted(HOST_NAMES)


@pytest.mark.parametrize("name", ["tondi", "connewitz"])
def test_reports_an_engine_that_is_down(over_ssh: JobRunner, name: str) -> None:
    over_ssh.fleet[name].dockerd.stop()
    (table,) = [body for body in over_ssh.run_job(ListHosts()) if isinstance(body, HostTable)]
    (row,) = [row for row in table.rows if row.name == name]
    assert row.error == (
        f"{name}'s Engine is unreachable over SSH: Cannot connect to the Docker daemon at "
        "unix:///var/run/docker.sock. Is the docker daemon running?"
    )


def test_a_host_that_stops_responding_is_reported_in_time(over_ssh: JobRunner) -> None:
    with over_ssh.shell(over_ssh.host("connewitz")) as shell:
        over_ssh.fleet.set_silent("connewitz")
        try:
            with pytest.raises((OSError, TimeoutError)):
                shell.connect_engine(time.monotonic() + 1)
        finally:
            over_ssh.fleet.set_silent("connewitz", silent=False)


def test_continues_after_the_ssh_connection_was_reset(over_ssh: JobRunner) -> None:

    host = over_ssh.host("tondi")
    with share_shells(over_ssh.shell) as shells:
        open_engine = EngineOpener(Engine, shells)
        engine = open_engine(host)
        over_ssh.fleet.reset_ssh("tondi")
        with suppress(JobError):  # only if the loss is noticed after the request was sent
            engine.info()
        assert open_engine(host).version["Version"] == "20.10.24"
