"""Format all findings of the doctors of the bot and of the jobs."""

import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from pydantic import SecretStr
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from slack_sdk import WebClient

from bot.auth.rights import Rights
from bot.doctor import processes, rights, slack
from bot.messages.replies import responses
from bot.settings import Settings
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from imker.protocol.values import Finding
from jobs.handlers import doctor
from jobs.inventory import certificates
from jobs.inventory.model import Host
from lab.slack.client import Workspace
from tests.golden.text_layout import message, page, section
from tests.unit.jobs.handlers.test_doctor import KEY as HOST_KEY
from tests.unit.jobs.handlers.test_doctor import Fleet

ONCE = Retry(NoBackoff(), 0)


def bot_doctor(redis: Redis, workspace: Workspace) -> str:
    bare = processes.check(redis, is_external=True, is_signing=False)
    statuses: tuple[rights.Known, ...] = get_args(rights.Known)
    people = {f"U0{kind.upper().replace('_', '')}": kind for kind in statuses}
    pages = {
        "no process runs": bare,
        "all is well": _well(redis),
        "the audit log was cut": _cut(redis),
        "Redis settings": list(processes.check_settings({})),
        "Redis is away": processes.check(
            Redis(unix_socket_path="/nonexistent", retry=ONCE), is_external=False, is_signing=True
        ),
        "a Redis that may not be asked": _closed(),
        "people and groups": rights.check(Rights(read=("*",), change=tuple(people), accept=("*",)), people),
        "no rights": rights.check(Rights(), {}),
        "rights": rights.check(Rights(read=("*",), change=("U01",), accept=("U02",)), {}),
        "other settings of the RQ workers": rights.compare_acceptance_rules(
            Rights(), b'{"accept_own": true, "accept_count": 2}'
        ),
        **_slack(workspace),
    }
    replies = {"/swarm doctor, all well": _well(redis), "/swarm doctor, with findings": bare}
    sections = [
        section(title, *(f"  {line}" for item in matches for line in item.as_text.splitlines()))
        for title, matches in pages.items()
    ]
    replies_by_title = {title: responses.doctor_report(tuple(matches)) for title, matches in replies.items()}
    return page(
        *sections, *(section(title, message(reply.text, reply.blocks)) for title, reply in replies_by_title.items())
    )


def _well(redis: Redis) -> tuple[Finding, ...]:
    redis.flushall()
    for queue in ("changes", "reads"):
        at = Queue(queue, connection=redis, serializer=JSONSerializer)
        Worker([at], connection=redis, serializer=JSONSerializer).register_birth()
    redis.set("bot:reconciler", "me")
    AuditLog(redis).append(AuditFact("1", "asked"))
    return processes.check(redis, is_external=False, is_signing=True)


def _cut(redis: Redis) -> list[Finding]:
    AuditLog(redis).append(AuditFact("2", "asked"))
    redis.xdel("audit", "2-0")
    return [
        matches for matches in processes.check(redis, is_external=False, is_signing=True) if matches.level != "pass"
    ]


def _closed() -> list[Finding]:
    def refuse(*_: object) -> None:
        raise NoPermissionError("no permission")

    closed: Any = SimpleNamespace(config_get=refuse, acl_whoami=refuse, smembers=refuse, info=refuse, get=refuse)
    redis_like: Any = SimpleNamespace(
        **{**vars(closed), "info": lambda: {"aof_enabled": 1, "maxmemory_policy": "noeviction"}}
    )
    return [
        *processes._settings(closed),
        *processes._settings(redis_like),
        *processes._user(closed, True),
        *processes._workers(closed),
    ]


def _slack(workspace: Workspace) -> dict[str, Iterable[Finding]]:
    away = WebClient(token="xoxb-lab", base_url="http://127.0.0.1:9/", retry_handlers=[])

    def client(token: str) -> WebClient:
        return WebClient(token=token, base_url=f"{workspace.url}/api/")

    def loaded(channels: tuple[str, ...], app_token: str = "xapp-lab") -> Settings:
        return Settings(SecretStr("xoxb-lab"), SecretStr(app_token), "", None, channels, Rights())

    channels = ("C01OPS", "C02DEV", "C03OLD", "C09NONE")
    return {
        "Slack": slack.check(loaded(channels), client("xoxb-lab")),
        "Slack with wrong tokens": slack.check(loaded((), "xapp-wrong"), client("xoxb-wrong")),
        "Slack that does not answer": slack.check(loaded(("C01OPS",)), away),
        "scopes": [slack.check_scopes(None), slack.check_scopes("commands,chat:write")],
    }


def jobs_doctor(folder: Path, tls: Path, patch: pytest.MonkeyPatch) -> str:
    known_file, unknown = folder / "known", folder / "unknown"
    known_file.write_text(f"198.18.0.39 {HOST_KEY}\n")
    unknown.write_text(f"198.18.0.1 {HOST_KEY}\n")
    kaditz = Host("kaditz", "198.18.0.39", "geschke", tls=tls)

    def run_doctor(fleet: Fleet, file: Path = known_file) -> tuple[Finding, ...]:
        return doctor.run_checks({"kaditz": kaditz}, file, fleet.shell, fleet.connect)

    twins = [Host("a", "198.18.0.1", role="manager"), Host("b", "198.18.0.1", role="manager")]
    patch.delenv("IMKER_AUDIT_KEY", raising=False)
    patch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    patch.setattr("imker.redis_connection.STARTUP_TIMEOUT", 0)
    patch.setattr("imker.redis_connection.Retry", lambda *_: ONCE)
    pages = {
        "all is well": run_doctor(Fleet()),
        "a host that is away": run_doctor(Fleet(unreachable=("kaditz",))),
        "no sudo": run_doctor(Fleet(no_sudo=("kaditz",))),
        "an unknown host key": run_doctor(Fleet(), unknown),
        "no known_hosts": run_doctor(Fleet(), folder / "none"),
        "the inventory": doctor.check_inventory(twins),
        "Redis is away": [doctor._check_redis()],
        **_certificates(folder, tls),
    }
    text = page(
        *(
            section(title, *(f"  {line}" for item in matches for line in item.as_text.splitlines()))
            for title, matches in pages.items()
        )
    )
    text = text.replace(str(folder), "FOLDER").replace(str(tls), "TLS")
    return re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE", text)


def _certificates(folder: Path, tls: Path) -> dict[str, Iterable[Finding]]:
    from datetime import UTC, datetime, timedelta

    from lab.fleet.certificates import VALIDITY_DAYS, create_authority

    now, other = datetime.now(UTC), folder / "other"
    other.mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (other / name).write_text((tls / name).read_text())
    (other / "key.pem").write_text(create_authority("another").key_pem)
    days = {"soon to end": VALIDITY_DAYS - 29, "ended": VALIDITY_DAYS + 1, "not begun": -1}
    dated = {
        f"certificates, {title}": certificates.check_certificates("kaditz", tls, now + timedelta(days=day))
        for title, day in days.items()
    }
    return {
        **dated,
        "another key, for all to read": certificates.check_certificates("kaditz", other, now),
        "no certificates": certificates.check_certificates("kaditz", folder / "none", now),
    }
