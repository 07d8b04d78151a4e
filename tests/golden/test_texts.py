"""Compare all texts that users read with `__snapshots__`. Regenerate: `pytest tests/golden --snapshot-update`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from lab.fleet.certificates import create_authority, issue_certificate
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from tests.golden import (
    surfaces_alerts,
    surfaces_cli,
    surfaces_configuration,
    surfaces_doctor,
    surfaces_errors,
    surfaces_findings,
    surfaces_fleets,
    surfaces_host_changes,
    surfaces_init,
    surfaces_job_failures,
    surfaces_nodes,
    surfaces_outcomes,
    surfaces_receiver,
    surfaces_refusals,
    surfaces_replies,
    surfaces_runs,
    surfaces_services,
    surfaces_status,
    surfaces_views,
    surfaces_watch,
)

CheckSnapshot = Callable[[str], None]


class TextFile(SingleFileSnapshotExtension):
    """One text file per test."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def check_snapshot(snapshot: SnapshotAssertion) -> CheckSnapshot:
    def compare(text: str) -> None:
        assert text == snapshot(extension_class=TextFile)

    return compare


@pytest.fixture
def redis_url(redis: Redis) -> str:
    return f"unix://{redis.connection_pool.connection_kwargs['path']}"


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as started:
        yield started


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """Create client certificates as docker-machine stores them."""
    folder = tmp_path / "tls"
    folder.mkdir()
    ca = create_authority("test")
    client = issue_certificate(ca, "client")
    for name, text in (("ca.pem", ca.pem), ("cert.pem", client.pem), ("key.pem", client.key_pem)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


def test_help(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_replies.help_texts(redis))


def test_modals(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_views.modals())


def test_homes(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_views.homes(redis))


def test_welcomes(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_views.welcomes(redis))


def test_refusals(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_replies.refusals(redis))


def test_usage_errors(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_replies.usage_errors(redis))


def test_private_replies(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_receiver.private_replies(redis))


def test_status(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_status.status(redis))


def test_audit_table(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_status.audit(redis))


def test_run_states(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_runs.run_states())


def test_command_messages(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_runs.command_messages())


def test_services(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_services.services())


def test_fleet_states(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_fleets.fleet_states())


def test_alerts(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_alerts.alerts())


def test_watch_messages(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_watch.messages())


def test_watch_statuses(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_watch.statuses())


def test_fleet_report(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_fleets.fleet_report())


def test_step_titles(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_findings.step_titles())


def test_findings(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_findings.findings())


def test_node_plans(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_nodes.node_plans())


def test_node_messages(check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_nodes.node_messages())


def test_job_refusals(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_refusals.refusals(redis))


def test_job_errors(redis: Redis, monkeypatch: pytest.MonkeyPatch, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_errors.errors(redis, monkeypatch))


def test_job_ends(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_job_failures.ends(redis))


def test_command_lines(
    tmp_path: Path, redis_url: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, check_snapshot: CheckSnapshot
) -> None:
    check_snapshot(surfaces_cli.command_lines(tmp_path, redis_url, workspace.url, monkeypatch))


@pytest.mark.processes
def test_init(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, check_snapshot: CheckSnapshot
) -> None:
    check_snapshot(surfaces_init.dialogues(tmp_path, workspace.url, monkeypatch))


def test_audit_command_line(tmp_path: Path, redis: Redis, redis_url: str, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_cli.audit(tmp_path, redis, redis_url))


def test_configuration(tmp_path: Path, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_configuration.configuration(tmp_path))


def test_bot_doctor(redis: Redis, workspace: Workspace, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_doctor.bot_doctor(redis, workspace))


@pytest.mark.processes
def test_jobs_doctor(tmp_path: Path, tls: Path, monkeypatch: pytest.MonkeyPatch, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_doctor.jobs_doctor(tmp_path, tls, monkeypatch))


def test_step_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_outcomes.step_outcomes(tmp_path, monkeypatch))


def test_results(redis: Redis, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_outcomes.results(redis))


def test_changes(redis: Redis, monkeypatch: pytest.MonkeyPatch, check_snapshot: CheckSnapshot) -> None:
    check_snapshot(surfaces_host_changes.changed(redis, monkeypatch))
