"""The HTTP port passes only fresh requests with Slack's signature to Bolt, each once."""

import asyncio
import gzip
import hashlib
import hmac
import json
import logging
import socket
import threading
import time
import tomllib
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.listeners import http, http_connections
from bot.runs.store import RunStore
from imker.signing import SigningKey
from lab.slack.server_process import free_port

SECRET, NOW = "8f742231b10e8888abcd99yyyzzz85a5", 1795440000.0
CASES = tomllib.loads((Path(__file__).parents[3] / "data/http.toml").read_text())["case"]
COMMAND = "command=%2Fswarm&text=nodes&trigger_id=1.2&user_id=U01ALICE&channel_id=C01OPS&team_id=T01"
FORM = "application/x-www-form-urlencoded"


def sign(body: bytes, timestamp: str, secret: str = SECRET) -> str:
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


class Port:
    def __init__(self, first_seen: Any = lambda delivery: True) -> None:
        self.deliveries: list[str] = []
        self.bolt = bolt = App(
            client=WebClient(token="xoxb-lab", base_url="http://127.0.0.1:9/"),
            authorize=lambda: AuthorizeResult(enterprise_id=None, team_id="T01", bot_token="xoxb-lab"),
            token_verification_enabled=False,
            request_verification_enabled=False,
        )

        @bolt.command("/swarm")
        def on_command(ack: Any, body: dict[str, Any]) -> None:
            self.deliveries.append(body.get("text", ""))
            ack()

        self.asgi = http.build(bolt, SECRET, first_seen, lambda: NOW)

    def request(self, method: str, path: str, **sent: Any) -> int:
        """Raises what the app raises."""

        async def fetch_status() -> int:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.asgi), base_url="http://imker") as client:
                return (await client.request(method, path, **sent)).status_code

        return asyncio.run(fetch_status())

    def post(self, body: bytes, timestamp: str = str(int(NOW)), signature: str | None = None, **more: str) -> int:
        headers = {
            "x-slack-request-timestamp": timestamp.encode(),
            "x-slack-signature": (sign(body, timestamp) if signature is None else signature).encode(),
            "content-type": more.get("content", FORM).encode(),
        }
        return self.request("POST", http.PATH, content=body, headers=headers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_passes_only_signed_requests_to_bolt(case: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    port, body = Port(), case.get("body", COMMAND).encode()
    timestamp = case.get("sent", str(int(NOW) + case.get("seconds", 0)))
    signature = sign(case.get("signed", body.decode()).encode(), timestamp, case.get("secret", SECRET))
    status = port.post(body, timestamp, case.get("signature", signature), content=case.get("content", FORM))
    assert status == case["status"]
    assert port.deliveries == (["nodes"] if status == 200 and body == COMMAND.encode() else [])
    if status != 200:
        assert body.decode() not in caplog.text
        assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "body",
    # Without its time, the compressed text and the name of the test are the same on each worker.
    [b"\xff\xfe text=\xc3", gzip.compress(b"text=nodes", mtime=0), b"", b"[" * 100_000, b"payload=" + b"%5B" * 90_000],
)
def test_rejects_bodies_that_cannot_be_parsed(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    port = Port()
    content = "application/json" if body.startswith(b"[") else FORM
    assert port.post(body, content=content) in (401, 404)
    assert port.deliveries == []
    assert "Traceback" not in caplog.text


def test_limits_the_body_to_one_megabyte() -> None:
    port = Port()
    start = b"command=%2Fswarm&text="
    assert port.post(start + b"x" * (http.MAX_BODY_BYTES - len(start))) == 200
    assert port.post(start + b"x" * (http.MAX_BODY_BYTES - len(start) + 1)) == 413
    assert len(port.deliveries) == 1


HEAD = f"POST {http.PATH} HTTP/1.1\r\nHost: imker\r\nContent-Length: 900000\r\n\r\n".encode()
HALF = {
    "nothing": b"",
    "half a first line": b"POST /sla",
    "half a head": HEAD[:-2],
    "half a body": HEAD + b"half",
    "half a chunked body": HEAD.replace(b"Content-Length: 900000", b"Transfer-Encoding: chunked") + b"9\r\nhalf",
    "a head that waits for 100 Continue": HEAD[:-2] + b"Expect: 100-continue\r\n\r\n",
    "half a request to nowhere": HEAD.replace(http.PATH.encode(), b"/x")[:-2],
    "an upgrade": HEAD[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}


class Served:
    """A server on a loopback port."""

    def __init__(self, slowest: float) -> None:
        self.port, self.where, self._slowest = Port(), ("127.0.0.1", free_port()), slowest

    def __enter__(self) -> "Served":
        self._stack = ExitStack()
        self._stack.enter_context(http.serve(self.port.asgi, self.where, self._slowest))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def half_sent(self, data: bytes) -> socket.socket:
        connection = self._stack.enter_context(socket.create_connection(self.where))
        connection.sendall(data)
        connection.settimeout(10)
        return connection

    def ask(self) -> int:
        """Ask as Slack does."""
        sent = {"x-slack-request-timestamp": str(int(NOW)), "x-slack-signature": sign(COMMAND.encode(), str(int(NOW)))}
        url, headers = f"http://127.0.0.1:{self.where[1]}{http.PATH}", {**sent, "content-type": FORM}
        return httpx.post(url, content=COMMAND, headers=headers, trust_env=False).status_code


def until_closed(connection: socket.socket) -> bytes:
    """Return the rest of the response. Raise TimeoutError if the server keeps the connection open."""
    response = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(4096):
            response += part
    return response


@pytest.mark.processes
@pytest.mark.parametrize("half", HALF)
def test_incomplete_requests_do_not_block_complete_ones(half: str) -> None:
    with Served(slowest=60) as served:
        for _ in range(http.MAX_CONCURRENT + 20):
            served.half_sent(HALF[half])
        assert [served.ask() for _ in range(3)] == [200] * 3
    assert served.port.deliveries == ["nodes"] * 3


@pytest.mark.processes
@pytest.mark.parametrize("half", HALF)
def test_closes_a_request_that_does_not_end(half: str) -> None:
    with Served(slowest=0.5) as served:
        started = time.monotonic()
        until_closed(served.half_sent(HALF[half]))
        assert time.monotonic() - started < 5, "and not by uvicorn's end"


@pytest.mark.processes
def test_slow_bytes_do_not_extend_the_timeout() -> None:
    with Served(slowest=1.5) as served:
        connection, started = served.half_sent(HALF["half a body"]), time.monotonic()
        with suppress(OSError):
            while time.monotonic() - started < 20:
                connection.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - started < 10


@pytest.mark.processes
def test_an_incomplete_request_gets_status_408() -> None:
    with Served(slowest=0.5) as served:
        assert until_closed(served.half_sent(HALF["half a head"])).startswith(b"HTTP/1.1 408 ")
        assert until_closed(served.half_sent(HALF["half a body"])).startswith(b"HTTP/1.1 408 ")


@pytest.mark.processes
def test_a_connection_takes_only_one_request() -> None:
    request = f"GET {http.PATH} HTTP/1.1\r\nHost: imker\r\n\r\n".encode()
    with Served(slowest=1.5) as served:
        answer = until_closed(served.half_sent(request + HALF["half a head"]))
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.processes
def test_closes_the_oldest_connection_when_there_are_too_many() -> None:
    with Served(slowest=60) as served:
        slow = [served.half_sent(HALF["half a head"]) for _ in range(http_connections.MAX_WAITING + 10)]
        assert served.ask() == 200
        assert all(until_closed(connection) is not None for connection in slow[:10])
        slow[-1].settimeout(0.3)
        with pytest.raises(TimeoutError):
            slow[-1].recv(1)


@pytest.mark.processes
def test_limits_the_memory_of_incomplete_bodies() -> None:
    """All of them together may send a limited number of bytes; a request of Slack is still accepted."""
    with Served(slowest=60) as served:
        slow = [served.half_sent(HEAD + b"x" * 800_000) for _ in range(http_connections.MAX_OPEN // 800_000 + 10)]
        assert served.ask() == 200
        assert all(until_closed(connection) is not None for connection in slow[:5])


def test_too_many_concurrent_signed_requests_get_status_503() -> None:
    """Running requests count, not connections."""
    port, going, over = Port(), threading.Semaphore(0), threading.Event()
    port.asgi = http.build(
        port.bolt, SECRET, lambda _: bool(going.release()) or over.wait(20), lambda: NOW, max_concurrent=2
    )

    async def statuses() -> list[int]:
        body, stamp = COMMAND.encode(), str(int(NOW))
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(body, stamp), "content-type": FORM}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(port.asgi), base_url="http://imker") as client:
            first = [asyncio.create_task(client.post(http.PATH, content=body, headers=headers)) for _ in range(2)]
            await asyncio.to_thread(lambda: [going.acquire(timeout=20) for _ in first])
            third = await client.post(http.PATH, content=body, headers=headers)
            over.set()
            return [third.status_code, *[(await connection).status_code for connection in first]]

    assert asyncio.run(statuses()) == [503, 200, 200]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", http.PATH), ("POST", "/"), ("GET", "/metrics"), ("PUT", http.PATH)]
)
def test_serves_no_other_path_or_method(method: str, path: str) -> None:
    assert Port().request(method, path) in (404, 405)


def test_acknowledges_a_repeated_request_without_running_it(redis: Redis) -> None:
    port = Port(RunStore(redis, lambda: NOW, SigningKey("x" * 64)).claim_delivery)
    assert [port.post(COMMAND.encode()) for _ in range(4)] == [200] * 4
    assert port.deliveries == ["nodes"]
    assert port.post(COMMAND.encode(), str(int(NOW) - 1)) == 200
    assert port.deliveries == ["nodes"] * 2, "signed at another second is another request; its trigger_id decides then"


def test_a_claim_whose_reply_was_lost_still_counts_as_the_first(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    real = redis.set
    monkeypatch.setattr(redis, "set", lambda *args, **more: (real(*args, **more), real(*args, **more))[1])
    runs = RunStore(redis, lambda: NOW, SigningKey("x" * 64))
    assert [runs.claim_delivery("a"), runs.claim_delivery("a"), runs.claim_delivery("b")] == [True, False, True]


def test_without_redis_the_request_still_reaches_bolt() -> None:
    def away(_: str) -> bool:
        raise RedisError("away")

    port = Port(away)
    assert port.post(COMMAND.encode()) == 200
    assert port.deliveries == ["nodes"]


SHORTCUT = "payload=" + quote(json.dumps({"type": "shortcut", "callback_id": "swarm_form", "user": {"id": "U01ALICE"}}))


@pytest.mark.parametrize(
    ("body", "claims"),
    [
        (COMMAND, 1),
        (COMMAND.replace("text=nodes", "text=%20"), 0),
        (SHORTCUT, 0),
        ("payload=" + quote(json.dumps({"type": "block_suggestion", "value": "t"})), 0),
        ("payload=" + quote(json.dumps({"type": "view_submission", "view": {}})), 1),
        ("payload=" + quote(json.dumps({"type": "block_actions", "actions": [{"action_id": "run.reject"}]})), 0),
        ("payload=" + quote(json.dumps({"type": "block_actions", "actions": [{"action_id": "run.accept"}]})), 1),
        ("payload=" + quote(json.dumps({"type": "block_actions", "actions": []})), 1),
        ("payload=" + quote(json.dumps({"type": "block_actions", "actions": [{"action_id": "form.open.plan"}, 1]})), 1),
    ],
)  # fmt: skip
def test_only_what_opens_a_form_does_not_wait_for_redis(body: str, claims: int) -> None:
    """A claim of a delivery reads and writes Redis."""
    claimed: list[str] = []
    port = Port(lambda delivery: bool(claimed.append(delivery) or True))
    signature = sign(body.encode(), str(int(NOW)))
    headers = {"x-slack-request-timestamp": str(int(NOW)), "x-slack-signature": signature, "content-type": FORM}
    port.request("POST", "/slack/events", content=body.encode(), headers=headers)
    assert len(claimed) == claims
