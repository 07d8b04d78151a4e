"""Test a connection to an Engine that is kept while a thread polls: the same limits as for a connection of one call."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.connectors.engine import Engine, Secret
from jobs.errors import EngineRefused, JobError, Unreachable
from jobs.execute import polling
from jobs.inventory.model import Host
from tests.support import hostile_engine
from tests.support.hostile_engine import OK, Fleet, Serve, drips, honest, says


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with hostile_engine.fleet_in(tmp_path) as fleet:
        yield fleet


def manager(fleet: Fleet, info: Serve | None = None) -> Host:
    """Return a manager that answers /info as given."""
    but = {"/swarm/join": says(b""), **({"/info": info} if info else {})}
    return fleet.engine("tondi", honest("tondi", ("tondi",), manager=True, but=but))


def test_sends_get_requests_over_one_connection_and_changes_over_their_own(fleet: Fleet) -> None:
    engine = Engine(manager(fleet))
    before = fleet.connections
    with engine.keep_connection() as kept:
        for _ in range(3):
            assert kept.info()["Swarm"]["ControlAvailable"] is True
            assert len(kept.nodes()) == 1
        assert fleet.connections == before + 1
        kept.join("127.0.0.1", Secret("SWMTKN-1-a-b"), "active")
        assert fleet.connections == before + 2
        kept.info()
    assert fleet.connections == before + 2
    engine.info()
    engine.info()
    assert fleet.connections == before + 4, "one for each call after the block"


def test_uses_no_connection_that_the_engine_closes(fleet: Fleet) -> None:
    body = b'{"Swarm": {"LocalNodeState": "inactive"}}'
    engine = Engine(manager(fleet, says(body, OK + b"Connection: close\r\n")))
    before = fleet.connections
    with engine.keep_connection():
        for _ in range(3):
            engine.info()
    assert fleet.connections == before + 3


def after_first(later: Serve) -> Serve:
    """Answer the first request as an Engine, and all others as given."""
    served: list[str] = []

    def serve(connection: hostile_engine.ssl.SSLSocket, target: str) -> None:
        served.append(target)
        first = says(b'{"Swarm": {"LocalNodeState": "inactive"}}')
        (first if len(served) == 1 else later)(connection, target)

    return serve


HOSTILE: dict[str, tuple[Serve, type[JobError]]] = {
    "closed": (hostile_engine.ends_early(b""), EngineRefused),
    "a part of an answer": (hostile_engine.ends_early(OK + b"Content-Length: 100\r\n\r\n{}"), EngineRefused),
    "slow data": (drips(OK + b"Content-Length: 1000000\r\n\r\n{", b" "), Unreachable),
    "no data": (drips(b"", b""), Unreachable),
    "a redirect": (hostile_engine.redirects(302, "https://127.0.0.1:1/"), EngineRefused),
    "too much": (hostile_engine.floods(OK + b"\r\n", b" " * 2**20), EngineRefused),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_drops_the_connection_after_an_error(fleet: Fleet, name: str) -> None:
    later, error = HOSTILE[name]
    engine = Engine(manager(fleet, after_first(later)), timeout=1)
    before = fleet.connections
    with engine.keep_connection():
        engine.info()
        started_at = time.monotonic()
        with pytest.raises(error):
            engine.info()
        assert time.monotonic() - started_at < 5
        engine.nodes()
    assert fleet.connections == before + 2


def test_each_call_has_its_own_deadline(fleet: Fleet) -> None:
    engine = Engine(manager(fleet), timeout=0.8)
    with engine.keep_connection():
        for _ in range(4):
            engine.info()
            time.sleep(0.3)


# --- polling --------------------------------------------------------------------------------------------------------


@pytest.fixture
def connect(fleet: Fleet) -> Callable[[], Engine]:
    host = manager(fleet, after_first(hostile_engine.ends_early(b"")))
    return lambda: Engine(host)


def test_polls_over_one_connection_until_the_condition_holds(fleet: Fleet) -> None:
    host, asked = manager(fleet), []
    before = fleet.connections

    def condition(engine: Engine) -> bool:
        asked.append(engine.info())
        return len(asked) == 4

    assert polling.wait_for_engine(lambda: Engine(host), condition, 10)
    assert (len(asked), fleet.connections) == (4, before + 2), "one for the version, one for all others"


def test_connects_again_after_an_error(connect: Callable[[], Engine]) -> None:
    engines: list[Engine] = []

    def condition(engine: Engine) -> bool:
        engines.append(engine)
        engine.info()
        return False

    assert not polling.wait_for_engine(connect, condition, 0.5)
    assert engines[0] is engines[1], "the connection is kept until the error"
    assert engines[1] is not engines[2]


def test_waits_until_an_engine_answers_again(fleet: Fleet) -> None:
    host, attempts = manager(fleet), []

    def connect() -> Engine:
        attempts.append(host)
        if len(attempts) < 3:
            raise Unreachable("no answer")
        return Engine(host)

    assert polling.wait_for_engine(connect, lambda engine: bool(engine.nodes()), 10)
    assert len(attempts) == 3
