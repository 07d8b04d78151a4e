"""Build the Spec of a node or a swarm from known keys with checked values. Pure.

In: a Spec as an Engine returns it. Out: a Spec that may be written back. As an update replaces the complete Spec, known
keys are copied. A key that is unknown, or has a value of another type, is dropped. Raises EngineRefused for a value out
of range.
"""

from collections.abc import Callable, Mapping
from typing import Any

from imker.text import one_line
from jobs.errors import EngineRefused

Spec = dict[str, Any]
Check = Callable[[str, Any], Any]  # (path of the key, value) -> the value, or MISSING
MISSING = object()
INT64, UINT64 = 2**63 - 1, 2**64 - 1
MAX_TEXT, MAX_PEM = 4096, 2**16  # characters of a text, of certificates
MAX_ENTRIES = 1000  # of a map or a list


def node_spec(spec: Any) -> Spec:
    """Return the checked Spec of a node."""
    return _build(NODE, "the node", spec)


def swarm_spec(spec: Any) -> Spec:
    """Return the checked Spec of the swarm."""
    return _build(SWARM, "the swarm", spec)


def version_index(document: Any) -> int:
    """Return the version index, which an update has to name."""
    number = _number(UINT64)("Version.Index", document["Version"]["Index"])
    if number is MISSING:
        raise _out_of_range("Version.Index", "is not a number")
    return int(number)


def _build(check: Check, kind: str, spec: Any) -> Spec:
    built = check(kind, spec)
    return built if isinstance(built, dict) else {}


def _out_of_range(where: str, reason: str) -> EngineRefused:
    hint = "Nothing was written. Check `docker node inspect` and `docker info` on a manager."
    return EngineRefused(f"{where} {reason}, which no Docker Engine has", hint=hint)


def _text(limit: int = MAX_TEXT) -> Check:
    def check(where: str, value: Any) -> Any:
        if isinstance(value, str) and len(value) > limit:
            raise _out_of_range(where, f"has {len(value)} characters")
        return value if isinstance(value, str) else MISSING

    return check


def _number(limit: int) -> Check:
    def check(where: str, value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            return MISSING
        if not 0 <= value <= limit:
            raise _out_of_range(where, f"is {one_line(str(value), 40)}")
        return value

    return check


def _one_of(*words: str) -> Check:
    def check(where: str, value: Any) -> Any:
        if isinstance(value, str) and value not in words:
            raise _out_of_range(where, f"is {one_line(value, 40)}")
        return value if isinstance(value, str) else MISSING

    return check


def _flag(_: str, value: Any) -> Any:
    return value if isinstance(value, bool) else MISSING


def _texts(where: str, value: Any) -> Any:
    """Check a map of texts, such as labels."""
    return _check_each(_text(), where, value.items()) if isinstance(value, Mapping) else MISSING


def _list(check: Check) -> Check:
    def check_list(where: str, value: Any) -> Any:
        return list(_check_each(check, where, enumerate(value)).values()) if isinstance(value, list) else MISSING

    return check_list


def _check_each(check: Check, where: str, items: Any) -> dict[Any, Any]:
    if len(pairs := list(items)) > MAX_ENTRIES:
        raise _out_of_range(where, f"has {len(pairs)} entries")
    checked = {key: check(f"{where}.{one_line(str(key), 40)}", value) for key, value in pairs}
    return {key: value for key, value in checked.items() if value is not MISSING}


def _keys(**checks: Check) -> Check:
    def check(where: str, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return MISSING
        built = {key: checks[key](f"{where}.{key}", value[key]) for key in checks if key in value}
        return {key: inner for key, inner in built.items() if inner is not MISSING}

    return check


NODE = _keys(
    Name=_text(), Labels=_texts, Role=_one_of("worker", "manager"), Availability=_one_of("active", "pause", "drain")
)
SWARM = _keys(
    Name=_text(),
    Labels=_texts,
    Orchestration=_keys(TaskHistoryRetentionLimit=_number(INT64)),
    Raft=_keys(
        SnapshotInterval=_number(UINT64),
        KeepOldSnapshots=_number(UINT64),
        LogEntriesForSlowFollowers=_number(UINT64),
        ElectionTick=_number(INT64),
        HeartbeatTick=_number(INT64),
    ),
    Dispatcher=_keys(HeartbeatPeriod=_number(INT64)),
    CAConfig=_keys(  # without SigningCAKey, which an Engine never returns
        NodeCertExpiry=_number(INT64),
        ExternalCAs=_list(_keys(Protocol=_one_of("cfssl"), URL=_text(), Options=_texts, CACert=_text(MAX_PEM))),
        SigningCACert=_text(MAX_PEM),
        ForceRotate=_number(UINT64),
    ),
    EncryptionConfig=_keys(AutoLockManagers=_flag),
    TaskDefaults=_keys(LogDriver=_keys(Name=_text(), Options=_texts)),
)
