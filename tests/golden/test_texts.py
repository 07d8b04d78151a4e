"""Compare all that people read with the files in `__snapshots__`. Regenerate: `pytest tests/golden --snapshot-update`."""

from collections.abc import Callable

import pytest
from redis import Redis
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.golden import surfaces_bot, surfaces_runs

Shown = Callable[[str], None]


class TextFile(SingleFileSnapshotExtension):
    """One readable file for each test."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def shown(snapshot: SnapshotAssertion) -> Shown:
    def compare(text: str) -> None:
        assert text == snapshot(extension_class=TextFile)

    return compare


def test_help(redis: Redis, shown: Shown) -> None:
    shown(surfaces_bot.help_texts(redis))


def test_refusals(redis: Redis, shown: Shown) -> None:
    shown(surfaces_bot.refusals(redis))


def test_usage_errors(redis: Redis, shown: Shown) -> None:
    shown(surfaces_bot.usage_errors(redis))


def test_private_replies(redis: Redis, shown: Shown) -> None:
    shown(surfaces_bot.private_replies(redis))


def test_status(redis: Redis, shown: Shown) -> None:
    shown(surfaces_bot.status(redis))


def test_audit_table(redis: Redis, shown: Shown) -> None:
    shown(surfaces_bot.audit(redis))


def test_run_states(shown: Shown) -> None:
    shown(surfaces_runs.run_states())


def test_command_messages(shown: Shown) -> None:
    shown(surfaces_runs.command_messages())


def test_fleet_states(shown: Shown) -> None:
    shown(surfaces_runs.fleet_states())


def test_fleet_report(shown: Shown) -> None:
    shown(surfaces_runs.fleet_report())
