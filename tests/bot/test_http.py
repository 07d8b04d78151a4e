"""What comes to the HTTP port: only what Slack signed just now gets as far as Bolt, and only once."""

import asyncio
import gzip
import hashlib
import hmac
import logging
import socket
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot import http
from bot.runs import Runs
from imker.signing import Key
from lab.slack.running import free_port

SECRET, NOW = "8f742231b10e8888abcd99yyyzzz85a5", 1795440000.0
CASES = tomllib.loads((Path(__file__).parents[1] / "data/http.toml").read_text())["case"]
COMMAND = "command=%2Fswarm&text=nodes&trigger_id=1.2&user_id=U01ALICE&channel_id=C01OPS&team_id=T01"
FORM = "application/x-www-form-urlencoded"


def sign(body: bytes, timestamp: str, secret: str = SECRET) -> str:
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


class Port:
    def __init__(self, first_seen: Any = lambda delivery: True, slowest: float = http.SLOWEST) -> None:
        self.taken: list[str] = []
        bolt = App(
            client=WebClient(token="xoxb-lab", base_url="http://127.0.0.1:9/"),
            authorize=lambda: AuthorizeResult(enterprise_id=None, team_id="T01", bot_token="xoxb-lab"),
            token_verification_enabled=False,
            request_verification_enabled=False,
        )

        @bolt.command("/swarm")
        def on_command(ack: Any, body: dict[str, Any]) -> None:
            self.taken.append(body.get("text", ""))
            ack()

        self.asgi = http.build(bolt, SECRET, first_seen, lambda: NOW, slowest)

    def request(self, method: str, path: str, **sent: Any) -> int:
        """Raises what the app raises."""

        async def answered() -> int:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.asgi), base_url="http://imker") as client:
                return (await client.request(method, path, **sent)).status_code

        return asyncio.run(answered())

    def post(self, body: bytes, timestamp: str = str(int(NOW)), signature: str | None = None, **more: str) -> int:
        headers = {
            "x-slack-request-timestamp": timestamp.encode(),
            "x-slack-signature": (sign(body, timestamp) if signature is None else signature).encode(),
            "content-type": more.get("content", FORM).encode(),
        }
        return self.request("POST", http.PATH, content=body, headers=headers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_comes_in(case: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    port, body = Port(), case.get("body", COMMAND).encode()
    timestamp = case.get("sent", str(int(NOW) + case.get("seconds", 0)))
    signature = sign(case.get("signed", body.decode()).encode(), timestamp, case.get("secret", SECRET))
    status = port.post(body, timestamp, case.get("signature", signature), content=case.get("content", FORM))
    assert status == case["status"]
    assert port.taken == (["nodes"] if status == 200 and body == COMMAND.encode() else [])
    if status != 200:
        assert body.decode() not in caplog.text
        assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "body", [b"\xff\xfe text=\xc3", gzip.compress(b"text=nodes"), b"", b"[" * 100_000, b"payload=" + b"%5B" * 90_000]
)
def test_bytes_that_are_no_text_and_texts_without_end(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    port = Port()
    content = "application/json" if body.startswith(b"[") else FORM
    assert port.post(body, content=content) in (401, 404)
    assert port.taken == []
    assert "Traceback" not in caplog.text


def test_a_body_of_a_megabyte_is_read_and_one_byte_more_is_not() -> None:
    port = Port()
    start = b"command=%2Fswarm&text="
    assert port.post(start + b"x" * (http.LARGEST - len(start))) == 200
    assert port.post(start + b"x" * (http.LARGEST - len(start) + 1)) == 413
    assert len(port.taken) == 1


def test_bodies_that_do_not_end_shut_the_port_to_nobody_for_long() -> None:
    port, where = Port(slowest=3), ("127.0.0.1", free_port())
    half = f"POST {http.PATH} HTTP/1.1\r\nHost: imker\r\nContent-Length: 9\r\n\r\nhalf".encode()
    sent = {"x-slack-request-timestamp": str(int(NOW)), "x-slack-signature": sign(COMMAND.encode(), str(int(NOW)))}

    def asked() -> int:
        url, headers = f"http://127.0.0.1:{where[1]}{http.PATH}", {**sent, "content-type": FORM}
        return httpx.post(url, content=COMMAND, headers=headers, trust_env=False).status_code

    with http.served(port.asgi, where), ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(where)) for _ in range(http.AT_ONCE - 1)]
        for one in slow:
            one.sendall(half)
        assert asked() == 503, "all places are taken"
        assert slow[0].recv(100).startswith(b"HTTP/1.1 408")
        deadline = time.monotonic() + 10
        while (status := asked()) == 503 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status == 200
    assert port.taken == ["nodes"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", http.PATH), ("POST", "/"), ("GET", "/metrics"), ("PUT", http.PATH)]
)
def test_there_is_nothing_else_there(method: str, path: str) -> None:
    assert Port().request(method, path) in (404, 405)


def test_a_repeat_within_the_window_is_acknowledged_and_not_run(redis: Redis) -> None:
    port = Port(Runs(redis, lambda: NOW, Key("x" * 64)).first_seen)
    assert [port.post(COMMAND.encode()) for _ in range(4)] == [200] * 4
    assert port.taken == ["nodes"]
    assert port.post(COMMAND.encode(), str(int(NOW) - 1)) == 200
    assert port.taken == ["nodes"] * 2, "signed at another second is another request; its trigger_id decides then"


def test_a_first_sight_whose_reply_was_lost_is_still_the_first(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    real = redis.set
    monkeypatch.setattr(redis, "set", lambda *args, **more: (real(*args, **more), real(*args, **more))[1])
    runs = Runs(redis, lambda: NOW, Key("x" * 64))
    assert [runs.first_seen("a"), runs.first_seen("a"), runs.first_seen("b")] == [True, False, True]


def test_without_redis_the_person_is_told_by_bolt_and_not_by_a_500() -> None:
    def away(_: str) -> bool:
        raise RedisError("away")

    port = Port(away)
    assert port.post(COMMAND.encode()) == 200
    assert port.taken == ["nodes"]
