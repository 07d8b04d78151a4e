"""Format the output of the command lines for every way they end."""

import contextlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot import serve
from bot.listeners import socket_mode
from imker import hash_chain
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, Head
from tests.golden.command_line import run
from tests.golden.text_layout import page, section
from tests.golden.valid_configuration import TOKENS, write_key_files
from tests.support.imker_toml import HOST_CONFIG, VALID_CONFIG

AT = 1_795_440_000.0
AUDIT_KEY = "a" * 64
ONCE = Retry(NoBackoff(), 0)
JOBS_LINES = ("jobs check", "jobs changes", "jobs doctor")
AWAY = ("bot", "bot.reconciler", "bot doctor", "bot audit verify", "jobs reads")


def command_lines(folder: Path, redis_url: str, slack_url: str, patch: pytest.MonkeyPatch) -> str:
    patch.setattr("imker.redis_connection.STARTUP_TIMEOUT", 0)
    patch.setattr("imker.redis_connection.Retry", lambda *_: ONCE)
    good, wrong = _files(folder)
    known_hosts = str(Path("~/.ssh/known_hosts").expanduser())
    hidden = (
        (str(folder), "FOLDER"),
        (redis_url, "REDIS_URL"),
        (known_hosts, "KNOWN_HOSTS"),
        (slack_url.rpartition(":")[2], "PORT"),
    )
    right = {**TOKENS, "IMKER_CONFIG": str(good), "REDIS_URL": redis_url, "IMKER_SIGNING_KEY": "k" * 64}
    bad = {"IMKER_CONFIG": str(wrong), "REDIS_URL": redis_url, "IMKER_SIGNING_KEY": "short"}
    lab = {**right, "SLACK_API_URL": f"{slack_url}/api/", "SLACK_BOT_TOKEN": "xoxb-lab", "SLACK_SIGNING_SECRET": "s"}
    environments: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
        "": ({}, ("bot --help", "bot frobnicate", "jobs --help", "jobs")),
        "a right configuration": (right, ("bot check", "jobs check")),
        "a wrong configuration": (bad, ("bot check", "bot", "bot.reconciler", "bot doctor", *JOBS_LINES)),
        "no configuration": ({**bad, "IMKER_CONFIG": str(folder / "none.toml")}, ("bot check", "jobs check")),
        "Redis is away": ({**right, "REDIS_URL": "redis://127.0.0.1:9"}, AWAY),
        "a port that is taken": ({**lab, "IMKER_HTTP": slack_url.removeprefix("http://")}, ("bot",)),
        "a token that Slack refuses": ({**lab, "SLACK_BOT_TOKEN": "xoxb-wrong"}, ("bot",)),
        "a token of another workspace": ({**lab, "IMKER_CONFIG": str(folder / "team.toml")}, ("bot",)),
        "Slack is away": ({**right, "SLACK_API_URL": "http://127.0.0.1:9/"}, ("bot",)),
    }
    sections = [
        run(line, variables, *hidden, note=note) for note, (variables, lines) in environments.items() for line in lines
    ]
    return page(*sections, _without_redis(patch), _while_it_runs())


def _without_redis(patch: pytest.MonkeyPatch) -> str:
    """Start a process when the embedded Redis cannot start."""

    def cannot() -> str:
        raise OSError("(why)")

    patch.setattr("imker.embedded_redis.start_or_join", cannot)
    return run("bot audit verify", {}, note="the embedded Redis does not start")


def _while_it_runs() -> str:
    """Yield why the bot exits or does not start, by what Slack answers."""
    at = iter([0.0, 700.0])
    problem = socket_mode.pong_watchdog(lambda: None, lambda: False, lambda: next(at))()
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        serve._report_token_error(SimpleNamespace(status_code=500))
        serve._watch_transports(
            [lambda: problem], SimpleNamespace(recover_abandoned=lambda: None), SimpleNamespace(wait=lambda _: False)
        )  # type: ignore[arg-type]
    return section("the bot ends", *(f"! {line}" for line in errors.getvalue().splitlines()))


def _files(folder: Path) -> tuple[Path, Path]:
    """Write a valid configuration and one with many mistakes."""
    write_key_files(folder)
    good, wrong = folder / "good.toml", folder / "wrong.toml"
    good.write_text(VALID_CONFIG + HOST_CONFIG.format(folder=folder))
    (folder / "team.toml").write_text(good.read_text().replace("[rights]", 'team = "T09"\n[rights]'))
    wrong.write_text('[slack]\nchanels = []\n[rights]\nchange = ["@alice"]\n[slak]\n[hosts.kaditz_1]\nadress = "x"\n')
    return good, wrong


def audit(folder: Path, redis: Redis, redis_url: str) -> str:
    """Return every result of `audit verify`, for Redis and for exports."""
    entries = _entries(None)
    last = entries[-1]
    changed = hash_chain.encode_entry(entries[1]).replace("U01ALICE", "U09EVE")
    texts = {
        "whole": list(map(hash_chain.encode_entry, entries)),
        "empty": [],
        "changed": [hash_chain.encode_entry(entries[0]), changed, hash_chain.encode_entry(last)],
        "missing": [hash_chain.encode_entry(entries[0]), hash_chain.encode_entry(last)],
        "unordered": [hash_chain.encode_entry(entries[1]), hash_chain.encode_entry(entries[0])],
        "garbled": [hash_chain.encode_entry(entries[0]), "{}", hash_chain.encode_entry(entries[1])],
        "unlinked": [hash_chain.encode_entry(entries[0]), hash_chain.encode_entry(_entries(None, "other")[1])],
        "signed": list(map(hash_chain.encode_entry, _entries(b"other"))),
        "unsigned-end": [
            *map(hash_chain.encode_entry, _entries(AUDIT_KEY.encode())[:2]),
            hash_chain.encode_entry(last),
        ],
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
    record = AuditLog(redis, clock=lambda: AT)
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


def _facts(text: str) -> list[AuditFact]:
    return [
        AuditFact(str(number), "asked", "U01ALICE", "C01OPS", "k3fm9x2q", details={"text": text}) for number in range(3)
    ]


def _entries(key: bytes | None, text: str = "hosts") -> list[hash_chain.Entry]:
    entries: list[hash_chain.Entry] = []
    head = None
    for number, fact in enumerate(_facts(text)):
        entries.append(hash_chain.append_to(head, fact, AT + number, key))
        head = Head(entries[-1].seq, entries[-1].hash)
    return entries
