"""All that the doctors of the bot and of the jobs find. Text per surface."""

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

from bot import answers
from bot.doctor import processes, rights, slack
from bot.settings import Rights, Settings
from imker.audit import Audit
from imker.chain import Fact
from jobs import certificates, doctor
from jobs.contract import Finding
from jobs.inventory import Host
from lab.slack.client import Workspace
from tests.golden.page import message, page, section
from tests.jobs.test_doctor import KEY as HOST_KEY
from tests.jobs.test_doctor import Fleet

ONCE = Retry(NoBackoff(), 0)


def bot_doctor(redis: Redis, workspace: Workspace) -> str:
    bare = processes.look(redis, own=True, signs=False)
    known: tuple[rights.Known, ...] = get_args(rights.Known)
    people = {f"U0{kind.upper()}": kind for kind in known}
    pages = {
        "no process runs": bare,
        "all is well": _well(redis),
        "the audit log was cut": _cut(redis),
        "Redis settings": list(processes.judged({})),
        "Redis is away": processes.look(Redis(unix_socket_path="/nonexistent", retry=ONCE), own=False, signs=True),
        "a Redis that may not be asked": _closed(),
        "people and groups": rights.look(Rights(read=("*",), change=tuple(people), accept=("*",)), people),
        "no rights": rights.look(Rights(), {}),
        "rights": rights.look(Rights(read=("*",), change=("U01",), accept=("U02",)), {}),
        "other settings of the RQ workers": rights.compared(Rights(), b'{"accept_own": true, "accept_count": 2}'),
        **_slack(workspace),
    }
    replies = {"/swarm doctor, all well": _well(redis), "/swarm doctor, with findings": bare}
    shown = [
        section(title, *(f"  {line}" for one in found for line in one.line.splitlines()))
        for title, found in pages.items()
    ]
    told = {title: answers.checkup(tuple(found)) for title, found in replies.items()}
    return page(*shown, *(section(title, message(said.text, said.blocks)) for title, said in told.items()))


def _well(redis: Redis) -> tuple[Finding, ...]:
    redis.flushall()
    for queue in ("changes", "reads"):
        at = Queue(queue, connection=redis, serializer=JSONSerializer)
        Worker([at], connection=redis, serializer=JSONSerializer).register_birth()
    redis.set("bot:reporter", "me")
    Audit(redis).append(Fact("1", "asked"))
    return processes.look(redis, own=False, signs=True)


def _cut(redis: Redis) -> list[Finding]:
    Audit(redis).append(Fact("2", "asked"))
    redis.xdel("audit", "2-0")
    return [found for found in processes.look(redis, own=False, signs=True) if found.level != "pass"]


def _closed() -> list[Finding]:
    def refuse(*_: object) -> None:
        raise NoPermissionError("no permission")

    closed: Any = SimpleNamespace(config_get=refuse, acl_whoami=refuse, smembers=refuse, info=refuse, get=refuse)
    told: Any = SimpleNamespace(
        **{**vars(closed), "info": lambda: {"aof_enabled": 1, "maxmemory_policy": "noeviction"}}
    )
    return [
        *processes._settings(closed),
        *processes._settings(told),
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
        "Slack": slack.look(loaded(channels), client("xoxb-lab")),
        "Slack with wrong tokens": slack.look(loaded((), "xapp-wrong"), client("xoxb-wrong")),
        "Slack that does not answer": slack.look(loaded(("C01OPS",)), away),
        "scopes": [slack.judged_scopes(None), slack.judged_scopes("commands,chat:write")],
    }


def jobs_doctor(folder: Path, tls: Path, patch: pytest.MonkeyPatch) -> str:
    known, unknown = folder / "known", folder / "unknown"
    known.write_text(f"198.18.0.39 {HOST_KEY}\n")
    unknown.write_text(f"198.18.0.1 {HOST_KEY}\n")
    kaditz = Host("kaditz", "198.18.0.39", "geschke", tls=tls)

    def looked(fleet: Fleet, file: Path = known) -> tuple[Finding, ...]:
        return doctor.examine({"kaditz": kaditz}, file, fleet.shell, fleet.connect)

    twins = [Host("a", "198.18.0.1", role="manager"), Host("b", "198.18.0.1", role="manager")]
    patch.delenv("IMKER_AUDIT_KEY", raising=False)
    patch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    patch.setattr("imker.broker.PATIENCE", 0)
    patch.setattr("imker.broker.Retry", lambda *_: ONCE)
    pages = {
        "all is well": looked(Fleet()),
        "a host that is away": looked(Fleet(away=("kaditz",))),
        "no sudo": looked(Fleet(no_sudo=("kaditz",))),
        "an unknown host key": looked(Fleet(), unknown),
        "no known_hosts": looked(Fleet(), folder / "none"),
        "the inventory": doctor.fleet(twins),
        "Redis is away": [doctor._redis()],
        **_certificates(folder, tls),
    }
    text = page(
        *(
            section(title, *(f"  {line}" for one in found for line in one.line.splitlines()))
            for title, found in pages.items()
        )
    )
    text = text.replace(str(folder), "FOLDER").replace(str(tls), "TLS")
    return re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE", text)


def _certificates(folder: Path, tls: Path) -> dict[str, Iterable[Finding]]:
    from datetime import UTC, datetime, timedelta

    from lab.fleet.certificates import DAYS, authority

    now, other = datetime.now(UTC), folder / "other"
    other.mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (other / name).write_text((tls / name).read_text())
    (other / "key.pem").write_text(authority("another").key_pem)
    days = {"soon to end": DAYS - 29, "ended": DAYS + 1, "not begun": -1}
    dated = {
        f"certificates, {title}": certificates.look("kaditz", tls, now + timedelta(days=day))
        for title, day in days.items()
    }
    return {
        **dated,
        "another key, for all to read": certificates.look("kaditz", other, now),
        "no certificates": certificates.look("kaditz", folder / "none", now),
    }
