"""Check the Redis settings and whether the other processes are running."""

from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from imker import signing
from imker.audit_log import AuditLog, AuditLogBroken
from imker.health import count_workers
from imker.protocol import version
from imker.protocol.values import Finding
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE, RECONCILER_KEY
from imker.signing import SigningKey

SETTINGS_OK = "keeps accepted commands"
REQUIRED_SETTINGS = {  # setting: required value, level of the finding, consequence of another value
    "appendonly": ("yes", "block", "accepted commands are lost when Redis stops"),
    "appendfsync": ("always", "warn", "the commands of the last second are lost when Redis stops"),
    "maxmemory-policy": ("noeviction", "block", "when memory is short, Redis deletes runs and audit log entries"),
}


def check(redis: "Redis", *, is_external: bool, is_signing: bool, is_started: bool = True) -> tuple[Finding, ...]:
    """Return a finding for each check. `is_external`: REDIS_URL is set; `is_signing`: IMKER_AUDIT_KEY is set.

    `is_started`: whether the other processes have to be running.
    """
    try:
        return (
            *_settings(redis),
            *_user(redis, is_external),
            *((*_workers(redis), _reconciler(redis)) if is_started else ()),
            _audit_log(redis, is_signing),
        )
    except RedisError as error:
        hint = "Imker cannot run without Redis. Check the Redis server and the network."
        return (Finding("redis", "block", f"stopped responding ({type(error).__name__})", hint),)


def read_key(redis: "Redis", key: SigningKey, place: str) -> str | None:
    """Return what the RQ workers published at `place`; None if there is nothing signed, or Redis does not respond."""
    try:
        return signing.open_signed(key, place, redis.get(place))
    except RedisError:
        return None


def check_settings(values: dict[str, str]) -> Iterator[Finding]:
    """Yield a finding for each setting with another value. `values`: the result of CONFIG GET."""
    for name, (required, level, consequence) in REQUIRED_SETTINGS.items():
        value = values.get(name, "")
        if value != required:
            hint = f"Run CONFIG SET {name} {required}, and set it in the Redis configuration file."
            yield Finding(f"redis {name}", level, f"is {value or 'not set'}: {consequence}", hint)  # type: ignore[arg-type]


def _settings(redis: "Redis") -> Iterator[Finding]:
    try:
        values: Any = redis.config_get(*REQUIRED_SETTINGS)
    except ResponseError:
        yield from _settings_from_info(redis)
        return
    problems = list(check_settings(values))
    yield from problems or [Finding("redis", "pass", SETTINGS_OK)]


def _settings_from_info(redis: "Redis") -> Iterator[Finding]:
    """Read the settings from INFO, which Imker's own Redis users may run. It has all of them but `appendfsync`."""
    try:
        info: Any = redis.info()
    except ResponseError:
        required = ", ".join(f"{name} {value}" for name, (value, _, _) in REQUIRED_SETTINGS.items())
        hint = f"Check on the Redis server that it has: {required}"
        yield Finding("redis", "warn", "does not allow this user to read its settings", hint)
        return
    values = {
        "appendonly": "yes" if info.get("aof_enabled") else "no",
        "appendfsync": "always",
        "maxmemory-policy": str(info.get("maxmemory_policy", "")),
    }
    problems = list(check_settings(values))
    hint = "Check on the Redis server that appendfsync is always; this user cannot read it."
    yield from problems or [Finding("redis", "pass", SETTINGS_OK, hint)]


def _user(redis: "Redis", is_external: bool) -> Iterator[Finding]:
    """Check whether the bot's Redis user is limited: one that reads the RQ workers' keys can most likely write them."""
    if not is_external:
        return
    try:
        redis.get(version.consumed_key("doctor", 1))
    except NoPermissionError:
        yield Finding("redis user", "pass", f"is {_name(redis)}, without access to the keys of the RQ workers")
        return
    hint = "Give each process its own Redis user, see docs/redis.md."
    yield Finding("redis user", "warn", f"is {_name(redis)}, which has more rights than the bot needs", hint)


def _name(redis: "Redis") -> str:
    try:
        user_name: Any = redis.acl_whoami()
    except ResponseError:
        return "a user that may not read its own name"
    return user_name.decode() if isinstance(user_name, bytes) else str(user_name)


def _workers(redis: "Redis") -> Iterator[Finding]:
    for queue in (CHANGES_QUEUE, READS_QUEUE):
        check = f"RQ workers for {queue}"
        try:
            alive = count_workers(redis, queue)
        except NoPermissionError:
            hint = "Check with systemctl or ps that they are running."
            yield Finding(check, "warn", "this Redis user may not list them", hint)
            continue
        hint = f"Start one on a machine that reaches the hosts: `imker worker {queue}`"
        none = Finding(check, "block", "none is running: commands stay queued", hint)
        yield Finding(check, "pass", f"{alive} running") if alive else none


def _reconciler(redis: "Redis") -> Finding:
    if redis.get(RECONCILER_KEY):
        return Finding("reconciler", "pass", "running")
    hint = "Start it: `imker reconciler`"
    return Finding("reconciler", "block", "not running: no message is posted or updated", hint)


def _audit_log(redis: "Redis", is_signing: bool) -> Finding:
    """Compare the last entry with the stored latest hash. `audit verify` checks all entries."""
    log, hint = AuditLog(redis), "Run `imker audit verify` to find the entry."
    try:
        head, last = log.head(), next(log.newest_first(), None)
    except AuditLogBroken as broken:
        return Finding("audit log", "block", str(broken), hint)
    if (head and (head.seq, head.hash)) != (last and (last.seq, last.hash)):
        return Finding("audit log", "block", "the latest hash does not match the last entry", hint)
    if not is_signing:
        hint = "Set IMKER_AUDIT_KEY to the same long random text for the bot, the reconciler, and the RQ workers."
        return Finding("audit log", "warn", "entries are not signed", hint)
    count = last.seq if last else 0
    return Finding("audit log", "pass", f"{count} entr{'y' if count == 1 else 'ies'}")
