"""The bot's doctor finds each problem, and every finding has a hint."""

from collections.abc import Iterator
from dataclasses import replace
from http.client import IncompleteRead
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import NoPermissionError
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.auth.rights import Rights, Rule
from bot.doctor import processes, rights, slack
from bot.settings import Notify, Settings
from bot.slack.users import UserDirectory
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from imker.protocol.values import Finding
from imker.protocol.version import RECONCILER_KEY
from lab.slack.client import Workspace
from lab.slack.server_process import free_port, run_fake_slack


def short(matches: tuple[Finding, ...] | list[Finding]) -> list[tuple[str, str, str]]:
    assert all(bool(finding.hint) is (finding.level != "pass") for finding in matches), "every problem has a hint"
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


@pytest.mark.processes
def test_checks_tokens_scopes_and_channels(workspace: Workspace) -> None:
    matches = slack.check(loaded(("C01OPS", "C02DEV", "C03OLD", "C09NONE")), client(workspace))
    assert short(matches)[:3] == [
        ("pass", "bot token", "belongs to U00IMKER in workspace T01IMKER; all scopes of bot/manifest.yaml are granted"),
        ("pass", "app token", "can open Socket Mode connections"),
        ("pass", "channel C01OPS", "the bot is a member"),
    ]
    assert [(finding.level, finding.text) for finding in matches[3:]] == [
        ("block", "not_in_channel"),
        ("block", "is_archived"),
        ("block", "channel_not_found"),
    ]


@pytest.mark.processes
def test_distinguishes_a_wrong_bot_token_from_a_wrong_app_token(workspace: Workspace) -> None:
    matches = slack.check(loaded((), "xapp-wrong"), client(workspace, "xoxb-wrong"))
    assert short(matches) == [
        ("block", "bot token", "Slack rejected it: invalid_auth"),
        ("block", "app token", "Slack rejected it: invalid_auth"),
    ]
    assert "app token" not in [f.check for f in slack.check(loaded((), None), client(workspace))]


@pytest.mark.processes
def test_reports_a_slack_that_does_not_respond() -> None:
    away = WebClient(token="xoxb-lab", base_url=f"http://127.0.0.1:{free_port()}/", timeout=2)
    assert {finding.level for finding in slack.check(loaded(("C01OPS",)), away)} == {"block"}
    assert slack.classify_names(away, ("U01ALICE", "S01OPS")) == {"U01ALICE": "unknown", "S01OPS": "unknown"}


@pytest.mark.parametrize(
    ("granted", "level", "says"),
    [
        (",".join(slack.required_scopes()), "pass", "all"),
        (", ".join([*slack.required_scopes(), "admin"]), "pass", "all"),
        ("commands,chat:write", "block", "missing: app_mentions:read, "),
        ("", "block", "missing"),
        (None, "warn", "did not list"),
    ],
)
def test_compares_scopes_with_the_manifest(granted: str | None, level: str, says: str) -> None:
    finding = slack.check_scopes(granted)
    assert (finding.level, says in finding.text) == (level, True)


@pytest.mark.parametrize(
    ("granted", "level", "says"),
    [
        ("chat:write,im:write,im:history", "pass", "are granted"),
        ("chat:write, im:write", "warn", "scopes are missing: im:history. Alerts go to the channel"),
        ("", "warn", "scopes are missing: im:history, im:write"),
        (None, "warn", "did not list"),
    ],
)
def test_names_the_scopes_that_direct_messages_lack(granted: str | None, level: str, says: str) -> None:
    finding = slack.check_direct_message_scopes(granted)
    assert (finding.level, says in finding.text) == (level, True)


@pytest.mark.processes
def test_checks_the_scopes_of_direct_messages_only_if_they_are_sent(workspace: Workspace) -> None:
    findings = {
        notify: {finding.check: finding.level for finding in slack.check(with_notify(notify), client(workspace))}
        for notify in get_args(Notify)
    }
    assert [notify for notify, checks in findings.items() if "direct messages" in checks] == ["dm"]
    assert findings["dm"]["direct messages"] == "warn", "the manifest leaves the scopes out"


def with_notify(notify: Notify) -> Settings:
    return replace(loaded(()), notify=notify)


@pytest.mark.processes
def test_looks_up_every_configured_user_and_group(workspace: Workspace) -> None:
    named = ("U01ALICE", "U04GUEST", "U05GONE", "U06OTHER", "U09NOBODY", "S01OPS", "S09NONE")
    statuses = slack.classify_names(client(workspace), named)
    assert list(statuses.values()) == ["ok", "refused", "deactivated", "refused", "not_found", "ok", "not_found"]


class UserProfiles:
    """A Slack that knows these users."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer

    def auth_test(self) -> dict[str, Any]:
        return {"ok": True, "team_id": "T01IMKER"}

    def users_info(self, user: str) -> dict[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return {"user": {"id": user, "team_id": "T01IMKER", **self._answer}}


def slack_error(error: str) -> SlackApiError:
    return SlackApiError("no", {"ok": False, "error": error})


@pytest.mark.parametrize(
    ("user", "answer", "status"),
    [
        ("U01ALICE", {}, "ok"),
        ("U01ALICE", {"deleted": True}, "deactivated"),
        ("U01ALICE", {"is_bot": True}, "refused"),
        ("U01ALICE", {"is_workflow_bot": True}, "refused"),
        ("USLACKBOT", {}, "refused"),
        ("U01ALICE", {"is_restricted": True}, "refused"),
        ("U01ALICE", {"is_ultra_restricted": True}, "refused"),
        ("U01ALICE", {"is_stranger": True}, "refused"),
        ("U01ALICE", {"team_id": "T02OTHER"}, "refused"),
        ("U01ALICE", slack_error("user_not_found"), "not_found"),
        ("U01ALICE", slack_error("user_not_visible"), "not_found"),
        ("U01ALICE", slack_error("internal_error"), "unknown"),
        ("U01ALICE", TimeoutError(), "unknown"),
        ("U01ALICE", IncompleteRead(b"{"), "unknown"),
    ],
)
def test_the_doctor_approves_exactly_the_users_the_bot_accepts(
    user: str, answer: dict[str, Any] | Exception, status: str
) -> None:
    client: Any = UserProfiles(answer)
    assert slack.classify_names(client, (user,)) == {user: status}
    assert (UserDirectory(client, ()).fetch_actor(user, "T01IMKER", fresh=True).kind == "member") is (status == "ok")


def rule(who: str, verb: str) -> Rule:
    return Rule(who=(who,), verbs=(verb,))


# --- rights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "statuses", "expected"),
    [
        (Rights(read=("*",), change=("U01",), accept=("U02",)), {}, [("pass", "every right has a holder")]),
        (Rights(read=("*",), change=("U01",)), {}, [("block", "no user has the right accept")]),
        (
            Rights(),
            {},
            [
                ("warn", "no user has the right read"),
                ("block", "no user has the right change"),
                ("block", "no user has the right accept"),
            ],
        ),
        (Rights(read=("*",), change=("S01",), accept=("S01",)), {}, [("pass", "every right has a holder")]),
        (
            Rights(rule=(rule("U01", "status"), rule("U02", "migrate"), rule("U03", "accept"))),
            {},
            [("pass", "every right has a holder")],
        ),
        (
            Rights(read=("*",), rule=(rule("U02", "plan"),)),
            {},
            [("block", "no user has the right change"), ("block", "no user has the right accept")],
        ),
        (
            Rights(read=("*",), change=("*",), rule=(rule("U09", "accept"),)),
            {"U09": "not_found"},
            [("block", "U09 does not exist")],
        ),
        (
            Rights(read=("*",), change=("U01",), accept=("U02", "S01")),
            {"U01": "deactivated", "U02": "not_found", "S01": "empty"},
            [("warn", "U01 is deactivated"), ("block", "U02 does not exist"), ("warn", "S01 is a group without")],
        ),
    ],
)
def test_finds_rights_that_cannot_work(
    values: Rights, statuses: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
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
def test_checks_redis_settings(values: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert [(finding.level, finding.check) for finding in processes.check_settings(values)] == expected


def test_reports_missing_processes(redis: Redis) -> None:
    assert short(processes.check(redis, is_external=True, is_signing=False)) == [
        ("pass", "redis", "keeps accepted commands"),
        ("warn", "redis user", "is default, which has more rights than the bot needs"),
        ("block", "RQ workers for changes", "none is running: commands stay queued"),
        ("block", "RQ workers for reads", "none is running: commands stay queued"),
        ("block", "reconciler", "not running: no message is posted or updated"),
        ("warn", "audit log", "entries are not signed"),
    ]


def test_passes_when_all_processes_run(redis: Redis) -> None:
    for queue in ("changes", "reads"):
        at = Queue(queue, connection=redis, serializer=JSONSerializer)
        Worker([at], connection=redis, serializer=JSONSerializer).register_birth()
    redis.set(RECONCILER_KEY, "me")
    AuditLog(redis).append(AuditFact("1", "asked"))
    assert {level for level, _, _ in short(processes.check(redis, is_external=False, is_signing=True))} == {"pass"}


def test_finds_an_audit_log_that_was_cut(redis: Redis) -> None:
    for name in ("1", "2"):
        AuditLog(redis).append(AuditFact(name, "asked"))
    redis.xdel("audit", "2-0")
    assert ("block", "audit log", "the latest hash does not match the last entry") in short(
        processes.check(redis, is_external=False, is_signing=True)
    )


@pytest.mark.parametrize("key", ["audit", "audit:head"])
def test_continues_when_the_audit_log_cannot_be_read(redis: Redis, key: str) -> None:
    redis.set(key, "x")
    findings = short(processes.check(redis, is_external=False, is_signing=True))
    assert [level for level, check, _ in findings if check == "audit log"] == ["block"]


@pytest.mark.processes
def test_reports_a_redis_without_permissions_and_one_that_is_down() -> None:
    def refuse(*_: object) -> None:
        raise NoPermissionError("no permission")

    closed: Any = SimpleNamespace(config_get=refuse, acl_whoami=refuse, smembers=refuse, info=refuse)
    assert [level for level, _, _ in short(list(processes._settings(closed)))] == ["warn"]
    assert [level for level, _, _ in short(list(processes._workers(closed)))] == ["warn", "warn"]
    gone = Redis(unix_socket_path="/nonexistent")
    assert short(processes.check(gone, is_external=False, is_signing=True))[0][:2] == ("block", "redis")


@pytest.mark.parametrize(
    ("info", "level", "says"),
    [
        ({"aof_enabled": 1, "maxmemory_policy": "noeviction"}, "pass", "keeps accepted commands"),
        ({"aof_enabled": 0, "maxmemory_policy": "noeviction"}, "block", "is no: accepted commands are lost"),
        ({"aof_enabled": 1, "maxmemory_policy": "allkeys-lru"}, "block", "is allkeys-lru: when memory is short"),
    ],
)
def test_reads_settings_without_permission_for_config_get(info: dict[str, Any], level: str, says: str) -> None:
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
         "acceptance rules differ: accept_own is false for the bot and true for the RQ workers; "
         "accept_count is 1 for the bot and 2 for the RQ workers"),
        (None, ""), ("{x", ""), ("[]", ""), ("7", ""), ("\ufffd", ""),
    ],
)  # fmt: skip
def test_compares_the_acceptance_rules_of_both_machines(published: str | None, says: str) -> None:
    matches = rights.compare_acceptance_rules(Rights(read=("*",)), published)
    assert [finding.text for finding in matches] == [says] * bool(says)


def test_formats_a_finding_as_a_terminal_line() -> None:
    assert (
        Finding("reconciler", "block", "not alive", "Start it.").as_text
        == "fail  reconciler: not alive\n      Start it."
    )
    assert Finding("reconciler", "pass", "alive").as_text == "pass  reconciler: alive"
