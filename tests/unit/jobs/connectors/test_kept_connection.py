"""Test that an Engine's connection is kept from one GET to the next, and replaced when the Engine has closed it."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.connectors import engine_transport
from jobs.connectors.engine import Engine
from jobs.errors import EngineRefused
from tests.support import hostile_engine
from tests.support.hostile_engine import Serve, honest, says


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[hostile_engine.Fleet]:
    with hostile_engine.fleet_in(tmp_path) as fleet:
        yield fleet


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the method of each request for which a connection is opened."""
    opened: list[str] = []
    connect = engine_transport._connect

    def count(request: Any, *arguments: Any) -> Any:
        opened.append(request.method)
        return connect(request, *arguments)

    monkeypatch.setattr(engine_transport, "_connect", count)
    return opened


def closing(serve: Serve) -> Serve:
    """Close the connection after each answer, as an Engine does that restarts."""

    def answer_and_close(connection: ssl.SSLSocket, target: str) -> None:
        serve(connection, target)
        connection.close()

    return answer_and_close


def test_reads_over_one_connection(fleet: hostile_engine.Fleet, connections: list[str]) -> None:
    engine = Engine(fleet.engine("kaditz", honest("kaditz", ("kaditz",), manager=True)))
    for _ in range(2):
        assert engine.info()["Swarm"]["ControlAvailable"]
        assert len(engine.nodes()) == 1
    assert connections == ["GET"]


def test_reads_again_over_a_new_connection_if_the_engine_closed_it(
    fleet: hostile_engine.Fleet, connections: list[str]
) -> None:
    engine = Engine(fleet.engine("kaditz", closing(honest("kaditz"))))
    assert engine.info() == engine.info()
    assert connections == ["GET"] * 3


def test_writes_over_a_new_connection(fleet: hostile_engine.Fleet, connections: list[str]) -> None:
    """Otherwise a request on a connection that breaks might have arrived or not."""
    refuse = says(b'{"message": "no"}', b"HTTP/1.1 503 Unavailable\r\nContent-Type: application/json\r\n")
    engine = Engine(fleet.engine("kaditz", honest("kaditz", but={"/swarm/init": refuse})))
    with pytest.raises(EngineRefused, match="no"):
        engine.init("10.0.0.0/8")
    assert connections == ["GET", "POST"]
