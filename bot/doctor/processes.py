"""Redis as it is set up, and whether the other processes are there."""

from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from imker import signing
from imker.audit import Audit, RecordBroken
from imker.signing import Key
from jobs import contract
from jobs.contract import CHANGES, READS, Finding

KEEPS = "keeps what was accepted"
WANTED = {  # setting: its value, and what another one costs
    "appendonly": ("yes", "block", "what was accepted is lost with Redis' process"),
    "appendfsync": ("always", "warn", "the last second's commands are lost with Redis' process"),
    "maxmemory-policy": ("noeviction", "block", "when memory is short, runs and the record are thrown away"),
}


def look(redis: "Redis", *, own: bool, signs: bool) -> tuple[Finding, ...]:
    """`own`: whether it is the user's Redis rather than the embedded one; `signs`: whether there is an audit key."""
    try:
        return (*_settings(redis), *_user(redis, own), *_workers(redis), _reporter(redis), _record(redis, signs))
    except RedisError as failed:
        text = f"stopped answering ({type(failed).__name__})"
        return (Finding("redis", "block", text, "Nothing can be asked or done without it."),)


def told(redis: "Redis", key: Key, place: str) -> str | None:
    """What the jobs left there for the bot; None while they have not, or Redis does not say."""
    try:
        return signing.opened(key, place, redis.get(place))
    except RedisError:
        return None


def judged(values: dict[str, str]) -> Iterator[Finding]:
    """`values`: what CONFIG GET told."""
    for name, (wanted, level, cost) in WANTED.items():
        value = values.get(name, "")
        if value != wanted:
            hint = f"CONFIG SET {name} {wanted}, and the same in its configuration file."
            yield Finding(f"redis {name}", level, f"is {value or 'not told'}: {cost}", hint)  # type: ignore[arg-type]


def _settings(redis: "Redis") -> Iterator[Finding]:
    try:
        told: Any = redis.config_get(*WANTED)
    except ResponseError:
        yield from _by_info(redis)
        return
    wrong = list(judged(told))
    yield from wrong or [Finding("redis", "pass", KEEPS)]


def _by_info(redis: "Redis") -> Iterator[Finding]:
    """What any of Imker's own users is told: all but `appendfsync`."""
    try:
        info: Any = redis.info()
    except ResponseError:
        wanted = ", ".join(f"{name} {value}" for name, (value, _, _) in WANTED.items())
        hint = f"See for yourself that it has: {wanted}"
        yield Finding("redis", "warn", "does not tell its settings to this user", hint)
        return
    values = {
        "appendonly": "yes" if info.get("aof_enabled") else "no",
        "appendfsync": "always",
        "maxmemory-policy": str(info.get("maxmemory_policy", "")),
    }
    wrong = list(judged(values))
    hint = "See for yourself that appendfsync is always; this user is not told."
    yield from wrong or [Finding("redis", "pass", KEEPS, hint)]


def _user(redis: "Redis", own: bool) -> Iterator[Finding]:
    """By what it may do: whoever can read what is the jobs' alone can most likely write it, too."""
    if not own:
        return
    try:
        redis.get(contract.used_key("doctor", 1))
    except NoPermissionError:
        yield Finding("redis user", "pass", f"is {_name(redis)}, and is kept from what is the jobs'")
        return
    hint = "Give each process a user of its own: docs/redis.md says how."
    yield Finding("redis user", "warn", f"is {_name(redis)}, who may do more than the bot needs", hint)


def _name(redis: "Redis") -> str:
    try:
        told: Any = redis.acl_whoami()
    except ResponseError:
        return "one that may not ask who it is"
    return told.decode() if isinstance(told, bytes) else str(told)


def _workers(redis: "Redis") -> Iterator[Finding]:
    for queue in (CHANGES, READS):
        check = f"RQ workers for {queue}"
        try:
            known: Any = redis.smembers(WORKERS_BY_QUEUE_KEY % queue)
            number = sum(bool(redis.exists(worker)) for worker in known)  # a dead one's key expires
        except NoPermissionError:
            yield Finding(check, "warn", "this Redis user may not look", "See for yourself that they run.")
            continue
        hint = f"Start one where the hosts are reached from: python -m jobs {queue}"
        dead = Finding(check, "block", "none alive: what is asked stays queued", hint)
        yield Finding(check, "pass", f"{number} alive") if number else dead


def _reporter(redis: "Redis") -> Finding:
    if redis.get("bot:reporter"):
        return Finding("reporter", "pass", "alive")
    return Finding("reporter", "block", "not alive: no message comes or changes", "Start it: python -m bot.reporter")


def _record(redis: "Redis", signs: bool) -> Finding:
    """Only its end: all of it is for `audit verify`."""
    record, hint = Audit(redis), "python -m bot audit verify says where it breaks."
    try:
        head, last = record.head(), next(record.newest(), None)
    except RecordBroken as broken:
        return Finding("record", "block", str(broken), hint)
    if (head and (head.seq, head.hash)) != (last and (last.seq, last.hash)):
        return Finding("record", "block", "its head is not its last entry", hint)
    if not signs:
        hint = "Set IMKER_AUDIT_KEY to the same long random text for the bot, the reporter and the jobs."
        return Finding("record", "warn", "its entries are not signed", hint)
    return Finding("record", "pass", f"{last.seq if last else 0} entries")
