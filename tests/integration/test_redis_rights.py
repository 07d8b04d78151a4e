"""Check docs/redis-users.acl as a table of user, command, and key against a real server.

tests/data/redis_rights.toml lists what is allowed. ACL DRYRUN must reject every other command that the server knows.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.support.redis_users import ACL_FILE, run_server

TABLE: dict[str, dict[str, str]] = tomllib.loads((Path(__file__).parents[1] / "data/redis_rights.toml").read_text())
KEYS = TABLE.pop("keys")
KEYLESS, ALLOWED = "no key", (b"OK", "OK", True)
OF_CHANNELS = ("publish", "subscribe", "psubscribe", "spublish", "ssubscribe")
ANYONE = {"auth", "hello", "quit", "reset"}  # of these the server asks no right


@pytest.fixture(scope="module")
def admin(redis_folder: Path) -> Iterator[Redis]:
    (redis_folder / "r").mkdir()
    with run_server(redis_folder / "r") as owner:
        yield owner


@pytest.mark.parametrize("kind", [KEYLESS, *KEYS])
@pytest.mark.parametrize("user", TABLE)
def test_allows_each_user_only_what_the_table_lists(admin: Redis, user: str, kind: str) -> None:
    key = KEYS.get(kind, "")
    named = TABLE[user].get("all of RQ's", "") if key.startswith("rq:") else ""
    assert allowed_of(admin, user, key) - ANYONE == set(TABLE[user].get(kind, named).split())


def test_table_covers_every_user_and_command(admin: Redis) -> None:
    users = {line.split()[1] for line in ACL_FILE.read_text().splitlines()}
    assert users == {"default", "imker-admin", *(f"imker-{user}" for user in TABLE)}
    assert {kind for user in TABLE.values() for kind in user} <= {KEYLESS, "all of RQ's", *KEYS}
    tried = {words[0] for key in ("", "x") for words in _tries(admin, key)}
    assert len(tried | set(OF_CHANNELS)) == len({name.split("|")[0] for name, *_ in _commands(admin)})


CHANNELS = {
    "bot": {("publish", "imker:wake")},
    "reconciler": {("publish", "imker:wake"), ("subscribe", "imker:wake")},
    "jobs": {(do, to) for do in ("publish", "subscribe") for to in ("imker:wake", "rq:pubsub:worker")},
}


@pytest.mark.parametrize("user", CHANNELS)
def test_limits_each_user_to_its_own_channels(admin: Redis, user: str) -> None:
    tries = [(do, to) for do in OF_CHANNELS for to in ("imker:wake", "rq:pubsub:worker", "*", "elsewhere")]
    allowed = set()
    for do, to in tries:
        words = [do, to, "x"] if "publish" in do else [do, to]
        if admin.execute_command("ACL", "DRYRUN", f"imker-{user}", *words) in ALLOWED:
            allowed.add((do, to))
    assert allowed == CHANNELS[user]


def allowed_of(admin: Redis, user: str, key: str) -> set[str]:
    """Return the commands that the server allows the user with this key, or without any key."""
    tries = list(_tries(admin, key))
    with admin.pipeline(transaction=False) as pipeline:
        for words in tries:
            pipeline.execute_command("ACL", "DRYRUN", f"imker-{user}", *words)
        answers = pipeline.execute(raise_on_error=False)
    return {_name(words) for words, answer in zip(tries, answers, strict=True) if answer in ALLOWED}


def _tries(admin: Redis, key: str) -> Iterator[list[str]]:
    """Return each command with this key in its key position, or, without a key, each command that takes none."""
    for name, arity, movable, first, last in _commands(admin):
        words = name.split("|")
        takes = first > 0 or movable
        if words[0] in OF_CHANNELS or takes is not bool(key):
            continue
        words += ["1"] * (max(abs(arity), first + 1, last + 1) - len(words))
        if first == 0 and key:  # a script's or so: how many keys, and then these
            words = [*words[: 2 if words[0].startswith(("eval", "fcall")) else 1], "1", key, "1"]
        for place in range(first, max(first, last) + 1) if first else ():
            words[place] = key
        yield words


def _commands(admin: Redis) -> Iterator[tuple[str, int, bool, int, int]]:
    """Return the server's commands and subcommands: name, arity, movable keys, first and last key position."""
    raw = Redis(connection_pool=admin.connection_pool)
    raw.response_callbacks.clear()
    pending: list[Any] = list(raw.execute_command("COMMAND"))
    while pending:
        name, arity, flags, first, last, _, *more = pending.pop()
        subcommands = more[3] if len(more) > 3 else []
        pending += subcommands
        if not subcommands:
            yield name.decode(), arity, b"movablekeys" in flags, first, last


def _name(words: list[str]) -> str:
    """Return the command name, with its subcommand where the ACL lists subcommands."""
    return "|".join(words[:2]) if words[0] in ("acl", "client", "script", "command", "config") else words[0]
