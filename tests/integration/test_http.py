"""Test the bot process on HTTP without Socket Mode: a signed command becomes one run."""

import hashlib
import hmac
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from redis import Redis

from imker.audit_log import AuditLog
from lab.processes import Processes, imker_environment
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import ALICE, OPS, _write_config

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


class Listening:
    def __init__(self, port: int, redis: Redis, log: Path) -> None:
        self.where, self.redis, self.log = ("127.0.0.1", port), redis, log
        self.url = f"http://127.0.0.1:{port}/slack/events"

    def post(self, trigger: str, text: str, at: float | None = None, secret: str = SECRET) -> int:
        form = {"command": "/swarm", "text": text, "user_id": ALICE, "channel_id": OPS, "team_id": "T01LAB"}
        body = urlencode({**form, "trigger_id": trigger})
        stamp = str(int(at or time.time()))
        digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return httpx.post(self.url, content=body, headers=headers, timeout=30, trust_env=False).status_code

    def runs(self) -> int:
        return int(self.redis.zcard("bot:recent"))


@pytest.fixture(scope="module")
def listening(folder: Path) -> Iterator[Listening]:
    port = free_port()
    with ExitStack() as stack:
        workspace = stack.enter_context(run_fake_slack())
        more = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": SECRET, "IMKER_HTTP": f"127.0.0.1:{port}"}
        settings = {**imker_environment(workspace.url, _write_config(folder, 1), folder / "redis"), **more}
        processes = Processes(settings, folder / "log")
        stack.callback(processes.stop)
        processes.start("bot")
        _await(port, folder / "log")
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        yield Listening(port, redis, folder / "log")


def _await(port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


def runs_become(listening: Listening, number: int) -> None:
    deadline = time.monotonic() + 20
    while listening.runs() < number:
        assert time.monotonic() < deadline, listening.log.read_text()
        time.sleep(0.05)


def test_starts_one_run_for_a_repeated_signed_command(listening: Listening) -> None:
    now = time.time()
    assert [listening.post("t.1", "migrate kaditz", now) for _ in range(3)] == [200] * 3
    assert listening.post("t.1", "migrate kaditz", now + 1) == 200, "Slack signs each retry with a new timestamp"
    assert listening.post("t.2", "migrate tondi") == 200
    runs_become(listening, 2)
    assert listening.runs() == 2
    texts = [entry.fact.details["text"] for entry in AuditLog(listening.redis).entries() if entry]
    assert sorted(texts) == ["/swarm migrate kaditz", "/swarm migrate tondi"]


def test_rejects_unsigned_requests_without_logging_them(listening: Listening) -> None:
    before = listening.runs()
    assert listening.post("t.3", "migrate lausen-is-secret", secret="a guess") == 401
    assert listening.post("t.3", "migrate lausen-is-secret", at=time.time() - 400) == 401
    assert httpx.post(listening.url, content=b"x" * (2**20 + 1), trust_env=False).status_code == 413
    assert listening.runs() == before
    log = listening.log.read_text()
    assert "lausen-is-secret" not in log
    assert "Traceback" not in log


def test_serves_slack_during_five_hundred_half_sent_requests(listening: Listening) -> None:
    """Close each half-sent request within 10 seconds, and answer signed requests in time meanwhile."""
    before, slowest, number = listening.runs(), 0.0, 0
    head = b"POST /slack/events HTTP/1.1\r\nHost: imker\r\nContent-Length: 9000\r\n\r\n"
    with ExitStack() as stack:
        start = time.monotonic()
        slow = [stack.enter_context(socket.create_connection(listening.where)) for _ in range(500)]
        for at, connection in enumerate(slow):
            connection.sendall((b"", b"POST /sla", head[:-2], head + b"half")[at % 4])
        while time.monotonic() - start < 9:
            sent_at, number = time.monotonic(), number + 1
            assert listening.post(f"t.half.{number}", "migrate kaditz") == 200
            slowest = max(slowest, time.monotonic() - sent_at)
            time.sleep(0.5)
        for connection in slow:
            connection.settimeout(max(0.1, start + 20 - time.monotonic()))
            while connection.recv(4096):
                pass
    assert time.monotonic() - start < 20
    assert slowest < 3, "Slack waits no longer"
    runs_become(listening, before + number)
