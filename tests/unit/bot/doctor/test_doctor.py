"""What the doctor finds, and that it says what to do about it."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import NoPermissionError
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from slack_sdk import WebClient

from bot.doctor import processes, rights, slack
from bot.settings import Rights, Rule, Settings
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from imker.protocol.values import Finding
from lab.slack.client import Workspace
from lab.slack.server_process import free_port, run_fake_slack


def short(matches: tuple[Finding, ...] | list[Finding]) -> list[tuple[str, str, str]]:
    assert all(bool(finding.hint) is (finding.level != "pass") for finding in matches), (
        "what is wrong comes with a way out"
    )
    return [(finding.level, finding.check, finding.text) for finding in matches]


# --- Slack ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as started:
        yield started


def client(workspace: Workspace, token: str = "xoxb-lab") -> WebClient:
    return WebClient(token=token, base_url=f"{workspace.url}/api/")


def loaded(channels: tuple[str, ...], app_token: str | None = "xapp-lab") -> Settings:
    app = SecretStr(app_token) if app_token else None
    return Settings(SecretStr("xoxb-lab"), app, "", None, channels, Rights())


def test_tokens_scopes_and_channels(workspace: Workspace) -> None:
    matches = slack.check(loaded(("C01OPS", "C02DEV", "C03OLD", "C09NONE")), client(workspace))
    assert short(matches)[:3] == [
        ("pass", "bot token", "of U00IMKER in T01IMKER, all that bot/manifest.yaml lists"),
        ("pass", "app token", "opens Socket Mode"),
        ("pass", "channel C01OPS", "the bot is in it"),
    ]
    assert [(finding.level, finding.text) for finding in matches[3:]] == [
        ("block", "not_in_channel"),
        ("block", "is_archived"),
        ("block", "channel_not_found"),
    ]


def test_wrong_tokens_are_told_apart(workspace: Workspace) -> None:
    matches = slack.check(loaded((), "xapp-wrong"), client(workspace, "xoxb-wrong"))
    assert short(matches) == [
        ("block", "bot token", "Slack refuses it: invalid_auth"),
        ("block", "app token", "Slack refuses it: invalid_auth"),
    ]
    assert "app token" not in [f.check for f in slack.check(loaded((), None), client(workspace))]


def test_a_slack_that_does_not_answer_is_no_traceback() -> None:
    away = WebClient(token="xoxb-lab", base_url=f"http://127.0.0.1:{free_port()}/", timeout=2)
    assert {finding.level for finding in slack.check(loaded(("C01OPS",)), away)} == {"block"}
    assert slack.classify_names(away, ("U01ALICE", "S01OPS")) == {"U01ALICE": "untold", "S01OPS": "untold"}


@pytest.mark.parametrize(
    ("granted", "level", "says"),
    [
        (",".join(slack.required_scopes()), "pass", "all"),
        (", ".join([*slack.required_scopes(), "admin"]), "pass", "all"),
        ("commands,chat:write", "block", "missing: app_mentions:read, "),
        ("", "block", "missing"),
        (None, "warn", "did not say"),
    ],
)
def test_scopes_are_compared_with_the_manifest(granted: str | None, level: str, says: str) -> None:
    finding = slack.check_scopes(granted)
    assert (finding.level, says in finding.text) == (level, True)


def test_everybody_who_is_named_is_looked_up(workspace: Workspace) -> None:
    named = ("U01ALICE", "U04GUEST", "U05GONE", "U06OTHER", "U09NOBODY", "S01OPS", "S09NONE")
    statuses = slack.classify_names(client(workspace), named)
    assert list(statuses.values()) == ["there", "refused", "deactivated", "refused", "unknown", "there", "unknown"]


def rule(who: str, verb: str) -> Rule:
    return Rule(who=(who,), verbs=(verb,))


# --- rights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "statuses", "expected"),
    [
        (Rights(read=("*",), change=("U01",), accept=("U02",)), {}, [("pass", "somebody may ask")]),
        (Rights(read=("*",), change=("U01",)), {}, [("block", "nobody may accept")]),
        (Rights(), {}, [("warn", "nobody may read"), ("block", "nobody may change"), ("block", "nobody may accept")]),
        (Rights(read=("*",), change=("S01",), accept=("S01",)), {}, [("pass", "somebody")]),
        (
            Rights(rule=(rule("U01", "status"), rule("U02", "migrate"), rule("U03", "accept"))),
            {},
            [("pass", "somebody")],
        ),
        (
            Rights(read=("*",), rule=(rule("U02", "plan"),)),
            {},
            [("block", "nobody may change"), ("block", "nobody may acc")],
        ),
        (
            Rights(read=("*",), change=("*",), rule=(rule("U09", "accept"),)),
            {"U09": "unknown"},
            [("block", "U09 is nobody")],
        ),
        (
            Rights(read=("*",), change=("U01",), accept=("U02", "S01")),
            {"U01": "deactivated", "U02": "unknown", "S01": "empty"},
            [("warn", "U01 is deactivated"), ("block", "U02 is nobody"), ("warn", "S01 is a group without")],
        ),
    ],
)
def test_rights_that_cannot_work(values: Rights, statuses: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    matches = rights.check(values, statuses)
    assert [finding.level for finding in matches] == [level for level, _ in expected]
    for finding, (_, says) in zip(matches, expected, strict=True):
        assert says in finding.text


# --- Redis and the processes ---------------------------------------------------------------------------------------


GOOD = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (GOOD, []),
        ({**GOOD, "appendonly": "no"}, [("block", "redis appendonly")]),
        ({**GOOD, "appendfsync": "everysec"}, [("warn", "redis appendfsync")]),
        ({**GOOD, "maxmemory-policy": "allkeys-lru"}, [("block", "redis maxmemory-policy")]),
        ({}, [("block", "redis appendonly"), ("warn", "redis appendfsync"), ("block", "redis maxmemory-policy")]),
    ],
)
def test_redis_settings(values: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert [(finding.level, finding.check) for finding in processes.check_settings(values)] == expected


def test_nobody_is_there(redis: Redis) -> None:
    assert short(processes.check(redis, is_embedded=True, signs=False)) == [
        ("pass", "redis", "keeps what was accepted"),
        ("warn", "redis user", "is default, who may do more than the bot needs"),
        ("block", "RQ workers for changes", "none alive: what is asked stays queued"),
        ("block", "RQ workers for reads", "none alive: what is asked stays queued"),
        ("block", "reconciler", "not alive: no message comes or changes"),
        ("warn", "record", "its entries are not signed"),
    ]


def test_all_are_there(redis: Redis) -> None:
    for queue in ("changes", "reads"):
        at = Queue(queue, connection=redis, serializer=JSONSerializer)
        Worker([at], connection=redis, serializer=JSONSerializer).register_birth()
    redis.set("bot:reconciler", "me")
    AuditLog(redis).append(AuditFact("1", "asked"))
    assert {level for level, _, _ in short(processes.check(redis, is_embedded=False, signs=True))} == {"pass"}


def test_a_record_that_was_tampered_with(redis: Redis) -> None:
    for name in ("1", "2"):
        AuditLog(redis).append(AuditFact(name, "asked"))
    redis.xdel("audit", "2-0")
    assert ("block", "record", "its head is not its last entry") in short(
        processes.check(redis, is_embedded=False, signs=True)
    )


@pytest.mark.parametrize("key", ["audit", "audit:head"])
def test_a_record_that_is_none_ends_no_check(redis: Redis, key: str) -> None:
    redis.set(key, "x")
    found = short(processes.check(redis, is_embedded=False, signs=True))
    assert [level for level, check, _ in found if check == "record"] == ["block"]


def test_a_redis_that_may_not_be_asked_and_one_that_stops() -> None:
    def refuse(*_: object) -> None:
        raise NoPermissionError("no permission")

    closed: Any = SimpleNamespace(config_get=refuse, acl_whoami=refuse, smembers=refuse, info=refuse)
    assert [level for level, _, _ in short(list(processes._settings(closed)))] == ["warn"]
    assert [level for level, _, _ in short(list(processes._workers(closed)))] == ["warn", "warn"]
    gone = Redis(unix_socket_path="/nonexistent")
    assert short(processes.check(gone, is_embedded=False, signs=True))[0][:2] == ("block", "redis")


@pytest.mark.parametrize(
    ("info", "level", "says"),
    [
        ({"aof_enabled": 1, "maxmemory_policy": "noeviction"}, "pass", "keeps what was accepted"),
        ({"aof_enabled": 0, "maxmemory_policy": "noeviction"}, "block", "is no: what was accepted is lost"),
        ({"aof_enabled": 1, "maxmemory_policy": "allkeys-lru"}, "block", "is allkeys-lru: when memory is short"),
    ],
)
def test_settings_are_seen_without_the_right_to_ask_for_them(info: dict[str, Any], level: str, says: str) -> None:
    def refuse(*_: object) -> None:
        raise NoPermissionError("no permission")

    closed: Any = SimpleNamespace(config_get=refuse, info=lambda: info)
    (finding,) = processes._settings(closed)
    assert (finding.level, says in finding.text, bool(finding.hint)) == (level, True, True)


@pytest.mark.parametrize(
    ("published", "says"),
    [
        ('{"accept_own": false, "accept_count": 1, "accept_within": 30}', ""),
        ('{"accept_own": true, "accept_count": 2, "accept_within": 30}',
         "the RQ workers have others: accept_own is false here, true there, accept_count is 1 here, 2 there"),
        (None, ""), ("{x", ""), ("[]", ""), ("7", ""), ("\ufffd", ""),
    ],
)  # fmt: skip
def test_what_both_sides_configure_is_compared(published: str | None, says: str) -> None:
    matches = rights.compare_acceptance_rules(Rights(read=("*",)), published)
    assert [finding.text for finding in matches] == [says] * bool(says)


def test_a_line_for_the_terminal() -> None:
    assert (
        Finding("reconciler", "block", "not alive", "Start it.").as_text
        == "fail  reconciler: not alive\n      Start it."
    )
    assert Finding("reconciler", "pass", "alive").as_text == "pass  reconciler: alive"
