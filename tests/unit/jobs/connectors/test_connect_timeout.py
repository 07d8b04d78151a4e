"""Test that a host that is down costs little time: its address swallows every packet."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.connectors import timeouts
from jobs.connectors.engine import Engine
from jobs.connectors.ssh import SshShell
from jobs.errors import NoAnswer, Unreachable
from jobs.inventory.model import Host
from tests.support.hostile_engine import _certificates

pytestmark = pytest.mark.processes


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Host]:
    """Return a host whose port drops SYN packets: its queue of connections is full, and nothing accepts them."""
    for name, text in _certificates().items():
        (tmp_path / name).write_text(text)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        yield Host("kaditz", "127.0.0.1", ssh_port=port, engine_port=port, tls=tmp_path, ssh_key=tmp_path / "key")
        for client in waiting:
            client.close()


def test_an_engine_that_is_down(dead: Host) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"kaditz.s Engine is unreachable at .*: timed out"):
        Engine(dead)
    assert timeouts.CONNECT_TIMEOUT <= time.monotonic() - began < timeouts.CONNECT_TIMEOUT + 2


def test_an_ssh_server_that_is_down(dead: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("jobs.connectors.ssh_client.connection.load_key", lambda host: None)
    (tmp_path / "known_hosts").touch()
    began = time.monotonic()
    with pytest.raises(Unreachable, match="is unreachable over SSH: timed out"):
        SshShell(dead, tmp_path / "known_hosts")
    assert timeouts.CONNECT_TIMEOUT <= time.monotonic() - began < timeouts.CONNECT_TIMEOUT + 2
