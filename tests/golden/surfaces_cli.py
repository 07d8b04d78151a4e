"""What the command lines print, for every way they end. Text per surface."""

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
from imker import chain
from imker.audit import Audit
from imker.chain import Fact, Head
from tests.golden.command_line import run
from tests.golden.configured import TOKENS, keys
from tests.golden.page import page, section
from tests.imker_toml import GOOD, HOST

AT = 1_795_440_000.0
AUDIT_KEY = "a" * 64
ONCE = Retry(NoBackoff(), 0)
JOBS_LINES = ("jobs check", "jobs changes", "jobs doctor")
AWAY = ("bot", "bot.reporter", "bot doctor", "bot audit verify", "jobs reads")


def command_lines(folder: Path, redis_url: str, slack_url: str, patch: pytest.MonkeyPatch) -> str:
    patch.setattr("imker.broker.PATIENCE", 0)
    patch.setattr("imker.broker.Retry", lambda *_: ONCE)
    good, wrong = _files(folder)
    known = str(Path("~/.ssh/known_hosts").expanduser())
    hidden = (
        (str(folder), "FOLDER"),
        (redis_url, "REDIS_URL"),
        (known, "KNOWN_HOSTS"),
        (slack_url.rpartition(":")[2], "PORT"),
    )
    right = {**TOKENS, "IMKER_CONFIG": str(good), "REDIS_URL": redis_url, "IMKER_SIGNING_KEY": "k" * 64}
    bad = {"IMKER_CONFIG": str(wrong), "REDIS_URL": redis_url, "IMKER_SIGNING_KEY": "short"}
    lab = {**right, "SLACK_API_URL": f"{slack_url}/api/", "SLACK_BOT_TOKEN": "xoxb-lab", "SLACK_SIGNING_SECRET": "s"}
    environments: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
        "": ({}, ("bot --help", "bot frobnicate", "jobs --help", "jobs")),
        "a right configuration": (right, ("bot check", "jobs check")),
        "a wrong configuration": (bad, ("bot check", "bot", "bot.reporter", "bot doctor", *JOBS_LINES)),
        "no configuration": ({**bad, "IMKER_CONFIG": str(folder / "none.toml")}, ("bot check", "jobs check")),
        "Redis is away": ({**right, "REDIS_URL": "redis://127.0.0.1:9"}, AWAY),
        "a port that is taken": ({**lab, "IMKER_HTTP": slack_url.removeprefix("http://")}, ("bot",)),
        "a token that Slack refuses": ({**lab, "SLACK_BOT_TOKEN": "xoxb-wrong"}, ("bot",)),
        "a token of another workspace": ({**lab, "IMKER_CONFIG": str(folder / "team.toml")}, ("bot",)),
        "Slack is away": ({**right, "SLACK_API_URL": "http://127.0.0.1:9/"}, ("bot",)),
    }
    shown = [run(line, given, *hidden, note=note) for note, (given, lines) in environments.items() for line in lines]
    return page(*shown, _without_redis(patch), _while_it_runs())


def _without_redis(patch: pytest.MonkeyPatch) -> str:
    """The embedded Redis cannot be started."""

    def cannot() -> str:
        raise OSError("(why)")

    patch.setattr("imker.embedded.ensure", cannot)
    return run("bot audit verify", {}, note="the embedded Redis does not start")


def _while_it_runs() -> str:
    """Why the bot ends, or does not start, by what Slack answers."""
    at = iter([0.0, 700.0])
    deaf = serve.hearing(lambda: None, lambda: False, lambda: next(at))()
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        serve._refused(SimpleNamespace(status_code=500))
        serve._watch([lambda: deaf], SimpleNamespace(catch_up=lambda: None), SimpleNamespace(wait=lambda _: False))  # type: ignore[arg-type]
    return section("the bot ends", *(f"! {line}" for line in errors.getvalue().splitlines()))


def _files(folder: Path) -> tuple[Path, Path]:
    """Write a configuration that is right, and one where much is wrong."""
    keys(folder)
    good, wrong = folder / "good.toml", folder / "wrong.toml"
    good.write_text(GOOD + HOST.format(folder=folder))
    (folder / "team.toml").write_text(good.read_text().replace("[rights]", 'team = "T09"\n[rights]'))
    wrong.write_text('[slack]\nchanels = []\n[rights]\nchange = ["@alice"]\n[slak]\n[hosts.Kaditz]\nadress = "x"\n')
    return good, wrong


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
