"""Test how a step waits for an Engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.connectors.engine import Engine
from jobs.errors import EngineRefused, JobError, Unreachable
from jobs.execute import polling
from jobs.inventory.model import Host
from tests.support import hostile_engine
from tests.support.hostile_engine import Fleet, honest

pytestmark = pytest.mark.processes


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with hostile_engine.fleet_in(tmp_path) as fleet:
        yield fleet


@pytest.fixture
def manager(fleet: Fleet) -> Host:
    return fleet.engine("tondi", honest("tondi", ("tondi",), manager=True))


def test_asks_one_client_until_the_condition_holds(fleet: Fleet, manager: Host) -> None:
    answers: list[Any] = []

    def condition(engine: Engine) -> bool:
        answers.append(engine.info())
        return len(answers) == 4

    assert polling.wait_for_engine(lambda: Engine(manager), condition, 10)
    assert fleet.requests == ["tondi GET /version", *["tondi GET /v1.45/info"] * 4]


@pytest.mark.parametrize("error", [Unreachable("gone"), EngineRefused("no leader")])
def test_connects_again_after_an_error(fleet: Fleet, manager: Host, error: JobError) -> None:
    errors = [error]

    def condition(engine: Engine) -> bool:
        if errors:
            raise errors.pop()
        return bool(engine.nodes())

    assert polling.wait_for_engine(lambda: Engine(manager), condition, 10)
    assert fleet.requests.count("tondi GET /version") == 2


def test_waits_until_an_engine_answers_again(manager: Host) -> None:
    attempts: list[Host] = []

    def connect() -> Engine:
        attempts.append(manager)
        if len(attempts) < 3:
            raise Unreachable("no answer")
        return Engine(manager)

    assert polling.wait_for_engine(connect, lambda engine: bool(engine.nodes()), 10)
    assert len(attempts) == 3


def test_returns_false_after_the_time_and_asks_often_at_first(manager: Host) -> None:
    attempts: list[float] = []
    assert not polling.wait_for(lambda: bool(attempts.append(1)), 0.5)
    assert len(attempts) >= 3


def test_raises_other_errors_at_once() -> None:
    def broken() -> bool:
        raise JobError("(why)")

    with pytest.raises(JobError):
        polling.wait_for(broken, 10)
