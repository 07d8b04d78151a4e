"""What the watch sees on simulated hosts: nodes, services, daemon options, and certificates. It changes nothing."""

import time

import pytest
from cryptography import x509

from bot.runs.watch_store import WatchSnapshot, WatchStore
from imker.protocol.commands import Migrate
from imker.protocol.events import JobFinished
from imker.protocol.observation import HostObservation, Observation, OptionDrift
from imker.protocol.version import options_key
from imker.protocol.watch_commands import ObserveHosts, ObserveSwarm, WatchCommand
from jobs.handlers import observe_hosts
from lab.fleet.daemon_option_files import DAEMON_JSON_PATH, DEFAULTS_PATH
from tests.simulated.conftest import JobRunner
from tests.support import streams
from tests.support.simulated_swarm import add_service, form_swarm

TONDI = Migrate("tondi", "worker")


def look(imker: JobRunner, command: WatchCommand) -> WatchSnapshot:
    """Run the job and return what it saved."""
    (end,) = imker.run_job(command)  # type: ignore[arg-type]
    assert isinstance(end, JobFinished), end
    assert end.outcome == "done", end
    return WatchStore(imker.redis, streams.KEY).snapshot()


def observe_swarm(imker: JobRunner) -> Observation:
    observation = look(imker, ObserveSwarm()).observation
    assert observation is not None
    assert time.time() - observation.taken_at < 20
    return observation


def observe(imker: JobRunner) -> HostObservation:
    observation = look(imker, ObserveHosts()).host_observation
    assert observation is not None
    return observation


def write(imker: JobRunner, path: str, text: str) -> None:
    imker.fleet["tondi"].disk.write(path, text)


def test_sees_nodes_with_their_hosts_and_what_happens_to_them(imker: JobRunner) -> None:
    form_swarm(imker.fleet, managers=2)
    observation = observe_swarm(imker)
    assert observation.answered_by == "connewitz"
    assert {node.host: (node.row.status, node.row.manager_status) for node in observation.nodes} == {
        "connewitz": ("Ready", "Leader"), "lausen": ("Ready", ""), "tondi": ("Ready", "Reachable"),
    }  # fmt: skip
    assert (observation.services, observation.service_problems, observation.problem) == (0, (), "")
    imker.fleet["lausen"].dockerd.stop()
    states = {node.host: node.row.status for node in observe_swarm(imker).nodes}
    assert states == {"connewitz": "Ready", "lausen": "Down", "tondi": "Ready"}
    imker.fleet["lausen"].dockerd.start()
    imker.fleet["connewitz"].dockerd.stop()
    imker.fleet["tondi"].dockerd.stop()
    observation = observe_swarm(imker)
    assert (observation.answered_by, observation.nodes) == ("", ())
    assert "connewitz" in observation.problem


def test_sees_a_service_below_its_replicas_and_why(imker: JobRunner) -> None:
    form_swarm(imker.fleet)
    add_service(imker.fleet, "web", task={"Placement": {"Constraints": ["node.labels.ssd==yes"]}})
    add_service(imker.fleet, "api", replicas=1)
    observation, deadline = observe_swarm(imker), time.monotonic() + 30
    while [each.name for each in observation.service_problems] != ["web"]:
        assert time.monotonic() < deadline, observation
        time.sleep(0.1)
        observation = observe_swarm(imker)
    (problem,) = observation.service_problems
    assert (observation.services, problem.running, problem.desired) == (2, 0, 2)
    assert problem.reason == "no node fits: constraint node.labels.ssd==yes matches 0 of 3 nodes"


def test_sees_no_swarm(imker: JobRunner) -> None:
    observation = observe_swarm(imker)
    assert (observation.nodes, observation.problem) == ((), "")


def test_sees_options_that_differ_from_what_imker_left(imker: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    imker.run_job(TONDI)
    assert observe(imker) == HostObservation(pytest.approx(time.time(), abs=20))
    before = imker.fleet["tondi"].disk.texts[DEFAULTS_PATH]
    write(imker, DEFAULTS_PATH, before.replace("--tlsverify\n", "--tlsverify\n--debug\n"))
    assert observe(imker).drifts == (OptionDrift("tondi", ("debug was added",)),)
    write(imker, DEFAULTS_PATH, before)
    assert observe(imker).drifts == ()
    write(imker, DAEMON_JSON_PATH, '{"log-driver": "journald"}')
    assert observe(imker).drifts == (OptionDrift("tondi", ("log-driver was added",)),)
    imker.run_job(TONDI)
    assert observe(imker).drifts == (), "Imker left the host with this change"
    stored = imker.redis.get(options_key("tondi")) or b""
    assert b"log-driver" in stored
    assert b"journald" not in stored, "an option may be a secret"
    imker.fleet.reboot("tondi", 600)
    assert observe(imker).unknown_hosts == ("tondi",)


def test_sees_certificates_that_end_soon(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    host = imker.host("connewitz")
    assert host.tls
    end = x509.load_pem_x509_certificate((host.tls / "cert.pem").read_bytes()).not_valid_after_utc.timestamp()
    monkeypatch.setattr(observe_hosts, "EXPIRY_WARN_DAYS", (end - time.time()) / (24 * 3600) + 1)
    certificates = {(each.host, each.name) for each in observe(imker).certificates}
    assert {("connewitz", "cert.pem"), ("connewitz", "Engine certificate"), ("tondi", "cert.pem")} <= certificates
    assert ("tondi", "Engine certificate") not in certificates, "Imker has not migrated it"
