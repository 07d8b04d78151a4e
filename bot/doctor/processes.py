"""Redis as it is set up, and whether the other processes are there."""

from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from imker import signing
from imker.audit_log import AuditLog, AuditLogBroken
from imker.protocol import version
from imker.protocol.values import Finding
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE
from imker.signing import SigningKey

REQUIRED_POLICY = "keeps what was accepted"
REQUIRED_SETTINGS = {  # setting: its value, and what another one costs
    "appendonly": ("yes", "block", "what was accepted is lost with Redis' process"),
    "appendfsync": ("always", "warn", "the last second's commands are lost with Redis' process"),
    "maxmemory-policy": ("noeviction", "block", "when memory is short, runs and the record are thrown away"),
}


def check(redis: "Redis", *, is_embedded: bool, signs: bool) -> tuple[Finding, ...]:
    """`own`: whether it is the user's Redis rather than the embedded one; `signs`: whether there is an audit key."""
    try:
        return (
            *_settings(redis),
            *_user(redis, is_embedded),
            *_workers(redis),
            _reconciler(redis),
            _audit_log(redis, signs),
        )
    except RedisError as error:
        text = f"stopped answering ({type(error).__name__})"
        return (Finding("redis", "block", text, "Nothing can be asked or done without it."),)


def read_key(redis: "Redis", key: SigningKey, place: str) -> str | None:
    """What the jobs left there for the bot; None while they have not, or Redis does not say."""
    try:
        return signing.open_signed(key, place, redis.get(place))
    except RedisError:
        return None


def check_settings(values: dict[str, str]) -> Iterator[Finding]:
    """`values`: what CONFIG GET told."""
    for name, (required, level, cost) in REQUIRED_SETTINGS.items():
        value = values.get(name, "")
        if value != required:
            hint = f"CONFIG SET {name} {required}, and the same in its configuration file."
            yield Finding(f"redis {name}", level, f"is {value or 'not told'}: {cost}", hint)  # type: ignore[arg-type]


def _settings(redis: "Redis") -> Iterator[Finding]:
    try:
        values: Any = redis.config_get(*REQUIRED_SETTINGS)
    except ResponseError:
        yield from _settings_from_info(redis)
        return
    problems = list(check_settings(values))
    yield from problems or [Finding("redis", "pass", REQUIRED_POLICY)]


def _settings_from_info(redis: "Redis") -> Iterator[Finding]:
    """What any of Imker's own users is told: all but `appendfsync`."""
    try:
        info: Any = redis.info()
    except ResponseError:
        required = ", ".join(f"{name} {value}" for name, (value, _, _) in REQUIRED_SETTINGS.items())
        hint = f"See for yourself that it has: {required}"
        yield Finding("redis", "warn", "does not tell its settings to this user", hint)
        return
    values = {
        "appendonly": "yes" if info.get("aof_enabled") else "no",
        "appendfsync": "always",
        "maxmemory-policy": str(info.get("maxmemory_policy", "")),
    }
    problems = list(check_settings(values))
    hint = "See for yourself that appendfsync is always; this user is not told."
    yield from problems or [Finding("redis", "pass", REQUIRED_POLICY, hint)]


def _user(redis: "Redis", is_embedded: bool) -> Iterator[Finding]:
    """By what it may do: whoever can read what is the jobs' alone can most likely write it, too."""
    if not is_embedded:
        return
    try:
        redis.get(version.consumed_key("doctor", 1))
    except NoPermissionError:
        yield Finding("redis user", "pass", f"is {_name(redis)}, and is kept from what is the jobs'")
        return
    hint = "Give each process a user of its own: docs/redis.md says how."
    yield Finding("redis user", "warn", f"is {_name(redis)}, who may do more than the bot needs", hint)


def _name(redis: "Redis") -> str:
    try:
        user_name: Any = redis.acl_whoami()
    except ResponseError:
        return "one that may not ask who it is"
    return user_name.decode() if isinstance(user_name, bytes) else str(user_name)


def _workers(redis: "Redis") -> Iterator[Finding]:
    for queue in (CHANGES_QUEUE, READS_QUEUE):
        check = f"RQ workers for {queue}"
        try:
            workers: Any = redis.smembers(WORKERS_BY_QUEUE_KEY % queue)
            number = sum(bool(redis.exists(worker)) for worker in workers)  # a dead one's key expires
        except NoPermissionError:
            yield Finding(check, "warn", "this Redis user may not look", "See for yourself that they run.")
            continue
        hint = f"Start one where the hosts are reached from: python -m jobs {queue}"
        dead = Finding(check, "block", "none alive: what is asked stays queued", hint)
        yield Finding(check, "pass", f"{number} alive") if number else dead


def _reconciler(redis: "Redis") -> Finding:
    if redis.get("bot:reconciler"):
        return Finding("reconciler", "pass", "alive")
    return Finding(
        "reconciler", "block", "not alive: no message comes or changes", "Start it: python -m bot.reconciler"
    )


def _audit_log(redis: "Redis", signs: bool) -> Finding:
    """Only its end: all of it is for `audit verify`."""
    record, hint = AuditLog(redis), "python -m bot audit verify says where it breaks."
    try:
        head, last = record.head(), next(record.newest_first(), None)
    except AuditLogBroken as broken:
        return Finding("record", "block", str(broken), hint)
    if (head and (head.seq, head.hash)) != (last and (last.seq, last.hash)):
        return Finding("record", "block", "its head is not its last entry", hint)
    if not signs:
        hint = "Set IMKER_AUDIT_KEY to the same long random text for the bot, the reconciler and the jobs."
        return Finding("record", "warn", "its entries are not signed", hint)
    return Finding("record", "pass", f"{last.seq if last else 0} entries")
