"""A process waits for Redis at startup, then reports the address and what to do."""

import socket
import threading
import time

import pytest

from imker import redis_connection

pytestmark = pytest.mark.processes


def test_reports_an_unreachable_redis_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connection, "STARTUP_TIMEOUT", 0.1)
    with pytest.raises(redis_connection.RedisUnavailable, match=r"is not responding .*REDIS_URL is correct"):
        redis_connection.connect("redis://127.0.0.1:1/0")


def test_waits_for_a_redis_that_starts_late() -> None:
    with socket.create_server(("127.0.0.1", 0)) as matches:
        port = matches.getsockname()[1]

    def late() -> None:
        time.sleep(1)
        with socket.create_server(("127.0.0.1", port)) as server:
            connection = server.accept()[0]
            with connection:
                while chunk := connection.recv(4096):
                    connection.sendall(b"+PONG\r\n" if b"PING" in chunk else b"+OK\r\n" * chunk.count(b"*"))

    thread = threading.Thread(target=late)
    thread.start()
    client = redis_connection.connect(f"redis://127.0.0.1:{port}/0?protocol=2")
    client.close()
    thread.join(10)
    assert not thread.is_alive()
