"""What the watch sees on simulated hosts: nodes, daemon options, and certificates. It changes nothing."""

import time

import pytest
from cryptography import x509

from bot.runs.watch_store import WatchSnapshot, WatchStore
from imker.protocol.commands import Accept, Approval, Migrate, Request
from imker.protocol.events import JobFinished
from imker.protocol.observation import HostObservation, Observation, OptionDrift
from imker.protocol.version import options_key
from imker.protocol.watch_commands import ObserveHosts, ObserveSwarm, WatchCommand
from jobs.handlers import observe_hosts
from lab.fleet.daemon_option_files import DAEMON_JSON_PATH, DEFAULTS_PATH
from tests.simulated.conftest import JobRunner
from tests.support import streams


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


@pytest.fixture
def swarmed(imker: JobRunner) -> JobRunner:
    """Migrate all three hosts; two of them are managers."""
    imker.run_job(Migrate("connewitz", "manager"))
    waiting = imker.run_job(Migrate("tondi", "manager"))[-1]
    imker.run_job(Accept(waiting.candidate.node), Approval("U02BOB", waiting.fingerprint, time.time()))
    imker.run_job(Migrate("lausen", "worker"))
    return imker


def test_sees_nodes_with_their_hosts(swarmed: JobRunner) -> None:
    observation = observe_swarm(swarmed)
    assert observation.answered_by == "connewitz"
    assert {node.host: (node.row.status, node.row.manager_status) for node in observation.nodes} == {
        "connewitz": ("Ready", "Leader"), "lausen": ("Ready", ""), "tondi": ("Ready", "Reachable"),
    }  # fmt: skip
    assert (observation.services, observation.service_problems, observation.problem) == (0, (), "")


def test_sees_a_host_without_power_and_its_return(swarmed: JobRunner) -> None:
    swarmed.fleet.reboot("lausen", 600)
    states = {node.host: node.row.status for node in observe_swarm(swarmed).nodes}
    assert states == {"connewitz": "Ready", "lausen": "Down", "tondi": "Ready"}


def test_sees_that_no_manager_answers(swarmed: JobRunner) -> None:
    for name in ("connewitz", "tondi"):
        swarmed.fleet[name].dockerd.stop()
    observation = observe_swarm(swarmed)
    assert (observation.answered_by, observation.nodes) == ("", ())
    assert "connewitz" in observation.problem


def test_sees_no_swarm(imker: JobRunner) -> None:
    observation = observe_swarm(imker)
    assert (observation.nodes, observation.problem) == ((), "")


def test_sees_options_that_differ_from_what_imker_left(swarmed: JobRunner) -> None:
    assert observe(swarmed).drifts == ()
    files = swarmed.fleet["tondi"].disk.texts
    before = files[DEFAULTS_PATH]
    files[DEFAULTS_PATH] = before.replace('DOCKER_OPTS="', 'DOCKER_OPTS="--debug ', 1)
    assert files[DEFAULTS_PATH] != before
    assert observe(swarmed).drifts == (OptionDrift("tondi", ("debug was added",)),)
    files[DEFAULTS_PATH] = before
    assert observe(swarmed).drifts == ()


def test_a_wanted_change_is_remembered_when_nothing_is_left_to_do(swarmed: JobRunner) -> None:
    files = swarmed.fleet["tondi"].disk.texts
    files[DAEMON_JSON_PATH] = '{"log-driver": "journald"}'
    assert observe(swarmed).drifts == (OptionDrift("tondi", ("log-driver was added",)),)
    for _ in range(2):
        swarmed.run_job(Migrate("tondi", "manager"))
    assert observe(swarmed).drifts == ()


def test_asks_only_hosts_that_imker_has_migrated(imker: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    imker.fleet["connewitz"].disk.texts.clear()
    sent = len(imker.fleet.world.history.commands)
    observation = observe(imker)
    asked = {each.host for each in imker.fleet.world.history.commands[sent:]}
    assert asked == {"connewitz"}
    assert observation.unknown_hosts == ()


def test_knows_nothing_of_a_host_that_does_not_answer(swarmed: JobRunner) -> None:
    swarmed.fleet.reboot("lausen", 600)
    assert observe(swarmed).unknown_hosts == ("lausen",)


def test_saves_no_value_of_an_option(swarmed: JobRunner) -> None:
    stored = b"".join(swarmed.redis.get(options_key(name)) or b"" for name in ("connewitz", "tondi", "lausen"))
    assert b"tlsverify" in stored
    assert b"/etc/docker" not in stored
    assert b"server.pem" not in stored


def test_sees_certificates_that_end_soon(swarmed: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    assert observe(swarmed).certificates == ()
    host = swarmed.host("tondi")
    assert host.tls
    end = x509.load_pem_x509_certificate((host.tls / "cert.pem").read_bytes()).not_valid_after_utc.timestamp()
    monkeypatch.setattr(observe_hosts, "EXPIRY_WARN_DAYS", (end - time.time()) / (24 * 3600) + 1)
    found = {(each.host, each.name) for each in observe(swarmed).certificates}
    assert {("tondi", "cert.pem"), ("tondi", "Engine certificate")} <= found


def test_its_events_expire_soon_and_are_not_in_the_audit_log(swarmed: JobRunner) -> None:
    observe_swarm(swarmed)
    assert isinstance(swarmed.build_request(ObserveSwarm()), Request)  # type: ignore[arg-type]
    assert swarmed.redis.exists("audit") == 0
