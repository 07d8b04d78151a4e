"""Check each part's health from what Redis holds."""

from pathlib import Path

import pytest
from redis import Redis

from imker import health
from imker.health import PARTS, check_health
from imker.protocol.version import BOT_CONNECTED_KEY, RECONCILER_KEY
from imker_cli.__main__ import main


def levels(redis: Redis, *parts: str) -> list[str]:
    return [finding.level for finding in check_health(redis, parts or PARTS)]


def start_all(redis: Redis) -> None:
    redis.set(BOT_CONNECTED_KEY, "1")
    redis.set(RECONCILER_KEY, "me")
    for queue in ("changes", "reads"):
        redis.sadd(f"rq:workers:{queue}", f"rq:worker:{queue}")
        redis.hset(f"rq:worker:{queue}", "state", "idle")


def test_everything_fails_until_it_runs(redis: Redis) -> None:
    assert levels(redis) == ["pass", "block", "block", "block", "block"]
    start_all(redis)
    assert levels(redis) == ["pass"] * 5
    redis.delete("rq:worker:reads")  # the key of a dead worker expires
    assert levels(redis, "changes", "reads") == ["pass", "block"]


def test_prints_one_line_for_each_part(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{redis.connection_pool.connection_kwargs['path']}")
    start_all(redis)
    assert main(["health"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pass  redis: responds",
        "pass  bot: connected to Slack",
        "pass  reconciler: running",
        "pass  changes: 1 RQ workers running",
        "pass  reads: 1 RQ workers running",
    ]
    redis.delete(BOT_CONNECTED_KEY)
    assert main(["health", "bot", "redis"]) == 1
    assert capsys.readouterr().out == "fail  bot: not connected to Slack\npass  redis: responds\n"


@pytest.mark.processes
def test_starts_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setenv("IMKER_STATE", str(tmp_path))
    assert main(["health"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PARTS)
    assert all(line.startswith("fail  ") for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_this_user_may_not_see_is_a_warning(redis: Redis) -> None:
    redis.execute_command("ACL", "SETUSER", "blind", "on", "nopass", "+ping", "+get", "~imker:*")
    try:
        with Redis(
            unix_socket_path=redis.connection_pool.connection_kwargs["path"], username="blind", password="x"
        ) as user:
            assert levels(user) == ["pass", "warn", "warn", "warn", "warn"]
    finally:
        redis.execute_command("ACL", "DELUSER", "blind")


def test_the_command_knows_all_parts() -> None:
    from imker_cli.parser import build_parser

    assert tuple(build_parser().parse_args(["health", *PARTS]).parts) == PARTS == tuple(health.CHECKS)
