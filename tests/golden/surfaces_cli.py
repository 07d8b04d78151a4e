"""What the command lines print, for every way they end, and all that a doctor finds. Text per surface."""

import re
from collections.abc import Iterable, Iterator
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
from bot.settings import Rights, Rule, Settings
from imker import chain
from imker.audit import Audit
from imker.chain import Fact, Head
from jobs import certificates, doctor
from jobs.contract import Finding
from jobs.inventory import Host
from lab.slack.client import Workspace
from tests.golden.command_line import run
from tests.golden.page import message, page, section
from tests.imker_toml import GOOD, HOST
from tests.jobs.test_doctor import Fleet
from tests.jobs.test_doctor import KEY as HOST_KEY

AT = 1_795_440_000.0
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
AUDIT_KEY = "a" * 64
ONCE = Retry(NoBackoff(), 0)
JOBS_LINES = ("jobs check", "jobs changes", "jobs doctor")
AWAY = ("bot", "bot.reporter", "bot doctor", "bot audit verify", "jobs reads")


# --- command lines --------------------------------------------------------------------------------------------------


def command_lines(folder: Path, redis_url: str, patch: pytest.MonkeyPatch) -> str:
    patch.setattr("imker.broker.PATIENCE", 0)
    patch.setattr("imker.broker.Retry", lambda *_: ONCE)
    good, wrong = _files(folder)
    known = str(Path("~/.ssh/known_hosts").expanduser())
    hidden = (str(folder), "FOLDER"), (redis_url, "REDIS_URL"), (known, "KNOWN_HOSTS")
    right = {**TOKENS, "IMKER_CONFIG": str(good), "REDIS_URL": redis_url, "IMKER_SIGNING_KEY": "k" * 64}
    bad = {"IMKER_CONFIG": str(wrong), "REDIS_URL": redis_url, "IMKER_SIGNING_KEY": "short"}
    environments: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
        "": ({}, ("bot --help", "bot frobnicate", "jobs --help", "jobs")),
        "a right configuration": (right, ("bot check", "jobs check")),
        "a wrong configuration": (bad, ("bot check", "bot", "bot.reporter", "bot doctor", *JOBS_LINES)),
        "no configuration": ({**bad, "IMKER_CONFIG": str(folder / "none.toml")}, ("bot check", "jobs check")),
        "Redis is away": ({**right, "REDIS_URL": "redis://127.0.0.1:9"}, AWAY),
        "Slack is away": ({**right, "SLACK_API_URL": "http://127.0.0.1:9/"}, ("bot",)),
    }
    return page(*(run(line, given, *hidden, note=note) for note, (given, lines) in environments.items() for line in lines))


def _files(folder: Path) -> tuple[Path, Path]:
    """Write a configuration that is right, and one where much is wrong."""
    _keys(folder)
    good, wrong = folder / "good.toml", folder / "wrong.toml"
    good.write_text(GOOD + HOST.format(folder=folder))
    wrong.write_text('[slack]\nchanels = []\n[rights]\nchange = ["@alice"]\n[slak]\n[hosts.Kaditz]\nadress = "x"\n')
    return good, wrong


def _keys(folder: Path) -> None:
    (folder / "known_hosts").touch()
    for name in ("key", "ca.pem", "cert.pem", "key.pem"):
        (folder / name).touch(mode=0o600)
    (folder / "store/machines/tondi").mkdir(parents=True)


def audit(folder: Path, redis: Redis, redis_url: str) -> str:
    """Every result of `audit verify`, of Redis and of exports."""
    entries = _entries(None)
    last = entries[-1]
    changed = chain.encode(entries[1]).replace("U01ALICE", "U09EVE")
    texts = {
        "whole": list(map(chain.encode, entries)),
        "empty": [],
        "changed": [chain.encode(entries[0]), changed, chain.encode(last)],
        "missing": [chain.encode(entries[0]), chain.encode(last)],
        "unordered": [chain.encode(entries[1]), chain.encode(entries[0])],
        "garbled": [chain.encode(entries[0]), "{}", chain.encode(entries[1])],
        "unlinked": [chain.encode(entries[0]), chain.encode(_entries(None, "other")[1])],
        "signed": list(map(chain.encode, _entries(b"other"))),
        "unsigned-end": [*map(chain.encode, _entries(AUDIT_KEY.encode())[:2]), chain.encode(last)],
    }
    for name, lines in texts.items():
        (folder / name).write_text("\n".join(lines))
    heads = (f"{last.hash}:3", f"{'f' * 64}:3", f"{last.hash}:9", "nonsense")
    keyed = {"IMKER_AUDIT_KEY": AUDIT_KEY}
    hidden = ((str(folder), "FOLDER"), (redis_url, "REDIS_URL"))
    files = [run(f"bot audit verify --file {folder}/{name}", {}, *hidden) for name in texts]
    signed = [run(f"bot audit verify --file {folder}/{name}", keyed, *hidden, note="with a key")
              for name in ("whole", "signed", "unsigned-end")]  # fmt: skip
    compared = [run(f"bot audit verify --file {folder}/whole --head {head}", {}, *hidden) for head in heads]
    usage = [run(f"bot audit {line}", {}) for line in ("", "--help", "verify --help", "export --help")]
    missing = run(f"bot audit verify --file {folder}/none", {}, *hidden)
    return page(*usage, *files, *signed, *compared, missing, *_of_redis(redis, {"REDIS_URL": redis_url}, hidden))


def _of_redis(redis: Redis, environment: dict[str, str], hidden: Iterable[tuple[str, str]]) -> Iterator[str]:
    record = Audit(redis, clock=lambda: AT)
    for fact in _facts("alice"):
        record.append(fact)
    head = record.head()
    assert head
    where = {**environment, "IMKER_CONFIG": "none.toml"}
    yield run("bot audit verify", where, *hidden)
    yield run(f"bot audit verify --head {head.hash}:{head.seq}", where, *hidden)
    yield run("bot audit export", where, *hidden)
    redis.xdel("audit", "3-0")
    yield run("bot audit verify", where, *hidden, note="an entry was deleted")


def _facts(text: str) -> list[Fact]:
    return [Fact(str(number), "asked", "U01ALICE", "C01OPS", "k3fm9x2q", said={"text": text}) for number in range(3)]


def _entries(key: bytes | None, text: str = "hosts") -> list[chain.Entry]:
    entries: list[chain.Entry] = []
    head = None
    for number, fact in enumerate(_facts(text)):
        entries.append(chain.link(head, fact, AT + number, key))
        head = Head(entries[-1].seq, entries[-1].hash)
    return entries


# --- configuration --------------------------------------------------------------------------------------------------

BOT = {
    "an unknown key": GOOD.replace("channels", "chanels"), "an unknown section": GOOD + "[slak]\n",
    "wrong types": GOOD + 'read = "all"\naccept_own = "perhaps"\naccept_count = "two"\naccept_within = 0\n',
    "a number that is too big": GOOD + "accept_count = 9\nread = [1]\n",
    "a rule without people": GOOD + '[[rights.rule]]\nverbs = ["plan"]\n',
    "wrong IDs": '[slack]\nchannels = ["#ops"]\nteam = "acme"\n[rights]\nread = ["@alice"]\n',
    "a wrong rule": GOOD + '[[rights.rule]]\nwho = ["U01"]\nverbs = ["migrat", "x"]\nhosts = ["LEI"]\nchannels = ["C09"]\n',
    "a rule of another channel": GOOD + '[[rights.rule]]\nwho = ["U01ALICE"]\nverbs = ["plan"]\nchannels = ["C09ELSE"]\n',
    "nothing": "", "syntax": "[slack\n", "a table as a number": "slack = 1\n",
    "nobody else may accept": '[slack]\nchannels = ["C01OPS"]\n[rights]\nchange = ["U01ALICE"]\naccept = ["U01ALICE"]\n',
    "nobody may accept": '[slack]\nchannels = ["C01OPS"]\n[rights]\nchange = ["U01ALICE"]\naccept_own = true\n',
}  # fmt: skip
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "no tokens": {"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": ""},
    "swapped tokens": {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"},
    "a wrong HTTP address": {"IMKER_HTTP": "here"},
    "a short signing key": {"IMKER_SIGNING_KEY": "short"},
    "no signing key": {"REDIS_URL": "redis://127.0.0.1"},
}
STORE = HOST.replace("[hosts", 'docker_machine = "{folder}/store"\n[hosts')
JOBS = {
    "no hosts": HOST.split("[hosts")[0], "no docker-machine store": STORE.replace("/store", "/elsewhere"),
    "no known_hosts": HOST.replace("/known_hosts", "/none"), "a wrong address": HOST.replace("198.18.0.39", "a;b"),
    "a name that cannot be typed": HOST.replace("kaditz", "all"), "an unknown key": HOST.replace("address", "adress"),
    "wrong values": HOST + 'role = "leader"\nssh_port = 0\n[engine]\napt_list = 1\n[fleet]\naddress_pool = "10.0.0.1/8"\n',
    "a wrong component": HOST + '[engine.apt_component]\nform = "main"\nto = "test"\n',
    "files that are missing": HOST + '[hosts.tondi]\naddress = "198.18.0.73"\nssh_key = "{folder}/none"\ntls = "{folder}/x"\n',
    "a host without anything": HOST + "[hosts.tondi]\n",
}  # fmt: skip
MACHINES = ("{broken", '{"Driver": []}', '{"Driver": {"SSHPort": "ssh"}}')


def configuration(folder: Path) -> str:
    """Every line that `check` prints about a wrong configuration."""
    _keys(folder)
    path = folder / "imker.toml"
    right = {**TOKENS, "IMKER_CONFIG": str(path)}

    def checked(title: str, line: str, text: str, **environment: str) -> str:
        path.write_text(text)
        told = run(f"{line} check", {**right, **environment}, (f"{path}: ", ""), (str(folder), "FOLDER"))
        return section(title, *told.splitlines()[2:-1])

    bot = [checked(f"bot: {title}", "bot", text) for title, text in BOT.items()]
    environments = [checked(f"bot: {title}", "bot", GOOD, **more) for title, more in ENVIRONMENTS.items()]
    jobs = [checked(f"jobs: {title}", "jobs", text.format(folder=folder)) for title, text in JOBS.items()]
    broken = []
    for number, text in enumerate(MACHINES):
        (folder / "store/machines/tondi/config.json").write_text(text)
        broken.append(checked(f"jobs: a broken machine ({number})", "jobs", STORE.format(folder=folder)))
    (folder / "store/machines/tondi/config.json").unlink()
    (folder / "key").chmod(0o644)
    return page(*bot, *environments, *jobs, *broken, checked("jobs: a key for all to read", "jobs", HOST.format(folder=folder)))


# --- the doctors ----------------------------------------------------------------------------------------------------


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
    }  # fmt: skip
    replies = {"/swarm doctor, all well": _well(redis), "/swarm doctor, with findings": bare}
    shown = [section(title, *(f"  {line}" for one in found for line in one.line.splitlines())) for title, found in pages.items()]
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
    told: Any = SimpleNamespace(**{**vars(closed), "info": lambda: {"aof_enabled": 1, "maxmemory_policy": "noeviction"}})
    return [*processes._settings(closed), *processes._settings(told), *processes._user(closed, True), *processes._workers(closed)]


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
    pages = {
        "all is well": looked(Fleet()), "a host that is away": looked(Fleet(away=("kaditz",))),
        "no sudo": looked(Fleet(no_sudo=("kaditz",))), "an unknown host key": looked(Fleet(), unknown),
        "no known_hosts": looked(Fleet(), folder / "none"), "the inventory": doctor.fleet(twins), **_certificates(folder, tls),
    }  # fmt: skip
    text = page(*(section(title, *(f"  {line}" for one in found for line in one.line.splitlines())) for title, found in pages.items()))
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
    dated = {f"certificates, {title}": certificates.look("kaditz", tls, now + timedelta(days=day)) for title, day in days.items()}
    return {**dated, "another key, for all to read": certificates.look("kaditz", other, now),
            "no certificates": certificates.look("kaditz", folder / "none", now)}  # fmt: skip
