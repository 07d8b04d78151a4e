"""Chain audit log entries: each entry contains the hash of the previous one, so that changes can be detected.

In: a fact and the previous entry. Out: entries, and the problems of a chain. Pure.
A chain alone cannot show that its end was cut off. It is compared with hashes that are saved elsewhere (checkpoints).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EntryKind = Literal["asked", "refused", "decided", "held", "began", "step", "changed", "waits", "ended"]
DIGEST = re.compile("[0-9a-f]{64}")
MAX_SEQ, MAX_TIME = (
    2**53,
    253_402_300_800,
)  # limits of an entry's number, and of its time: UNIX seconds of the year 10000
# Stored name -> attribute. The stored names are hashed and must never change: older logs have to verify.
FACT_FIELDS = {
    "id": "id", "what": "kind", "who": "user", "channel": "channel", "run": "run", "host": "host", "said": "details",
}  # fmt: skip
ENTRY_FIELDS = {"seq": "seq", "at": "recorded_at", "prev": "previous_hash", "hash": "hash", "mac": "mac"}
GENESIS_HASH = "0" * 64  # the previous hash of the first entry


@dataclass(frozen=True)
class AuditFact:
    """What an entry records.

    `id`: unique, so that a repeat adds nothing; `user`: Slack user ID; `details`: the rest by name, never a secret, and
    only the digest of a file.
    """

    id: str
    kind: EntryKind
    user: str = ""
    channel: str = ""
    run: str = ""
    host: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A fact in the chain. `seq` counts from 1; `recorded_at`: UNIX seconds; `mac`: HMAC, "" without a key."""

    seq: int
    recorded_at: float
    fact: AuditFact
    previous_hash: str
    hash: str
    mac: str = ""


@dataclass(frozen=True)
class Head:
    """The latest entry at some time. `source`: where this hash was saved, such as "the channel"."""

    seq: int
    hash: str
    source: str = ""


@dataclass(frozen=True)
class Problem:
    """A problem of the chain. `seq`: the entry that shows it."""

    seq: int
    text: str


def append_to(head: Head | None, fact: AuditFact, recorded_at: float, key: bytes | None = None) -> Entry:
    """Return the fact's entry after that head. `recorded_at`: UNIX seconds; `key`: of the HMAC."""
    seq, before = (head.seq + 1, head.hash) if head else (1, GENESIS_HASH)
    digest = _entry_hash(seq, recorded_at, fact, before)
    return Entry(seq, recorded_at, fact, before, digest, _entry_mac(key, digest) if key else "")


def entry_holds(entry: Entry, fact: AuditFact, key: bytes | None = None) -> bool:
    """Return whether the entry records this fact, has a valid hash, and, with a key, a valid signature."""
    has_valid_hash = _entry_hash(entry.seq, entry.recorded_at, entry.fact, entry.previous_hash) == entry.hash
    return entry.fact == fact and has_valid_hash and (key is None or _has_valid_mac(key, entry))


def verify(
    entries: Iterable[Entry | None], heads: Iterable[Head] = (), key: bytes | None = None, unsigned_until: int = 0
) -> tuple[Problem, ...]:
    """Return all problems of the chain. An entry of None could not be read.

    `unsigned_until`: the last entry from before the key was set. With a key, every later entry must be signed.
    """
    hashes: dict[int, str] = {}
    problems: list[Problem] = []
    last, must_be_signed, unsigned = Head(0, GENESIS_HASH), False, list[int]()
    for entry in entries:
        if entry is None:
            problems.append(Problem(last.seq + 1, f"what follows entry {last.seq} is not an entry"))
            continue
        problems += _entry_problems(last, entry, key, must_be_signed)
        must_be_signed = must_be_signed or bool(entry.mac)
        if key and not must_be_signed and entry.seq > unsigned_until:
            unsigned.append(entry.seq)
        hashes[entry.seq] = entry.hash
        last = Head(entry.seq, entry.hash)
    if unsigned:
        problems.append(Problem(unsigned[0], _describe_unsigned(unsigned, must_be_signed)))
    problems += [problem for head in heads if (problem := _head_problem(head, last, hashes))]
    return tuple(problems)


def _describe_unsigned(seqs: list[int], signed: bool) -> str:
    if not signed:
        return f"a key is set, but no entry is signed: {seqs[0]} to {seqs[-1]}"
    return (
        f"entries {seqs[0]} to {seqs[-1]} are not signed: they are older than the key, or were written without it. "
        f"If you know that they are older, add --unsigned-until {seqs[-1]}"
    )


def encode_entry(entry: Entry) -> str:
    """Return the entry as stored: canonical JSON with the stored field names."""
    return _canonical_json({**_stored(entry, ENTRY_FIELDS), "fact": _stored(entry.fact, FACT_FIELDS)})


def decode_entry(text: str | bytes) -> Entry | None:
    """Return the entry, None for anything else. It must not fail: a Redis user can write any text."""
    try:
        document = json.loads(text)
        _canonical_json(document)
        fact = AuditFact(**_attributes(document.pop("fact"), FACT_FIELDS))
        entry = Entry(fact=fact, **_attributes(document, ENTRY_FIELDS))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return entry if _is_well_formed(entry) else None


def _stored(value: object, names: Mapping[str, str]) -> dict[str, Any]:
    return {stored: getattr(value, attribute) for stored, attribute in names.items()}


def _attributes(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Translate stored names to attributes. Raises KeyError for a name that no entry has."""
    return {names[stored]: value for stored, value in document.items()}


def _is_well_formed(entry: Entry) -> bool:
    """Return whether every field has its type and is within its limits."""
    fact = entry.fact
    has_details = isinstance(fact.details, dict) and all(isinstance(text, str) for text in fact.details.values())
    texts = all(isinstance(getattr(fact, name), str) for name in FACT_FIELDS.values() if name != "details")
    numbers = type(entry.seq) is int and type(entry.recorded_at) in (int, float)
    digests = (entry.previous_hash, entry.hash, GENESIS_HASH if entry.mac == "" else entry.mac)
    hexes = all(isinstance(digest, str) and DIGEST.fullmatch(digest) for digest in digests)
    return has_details and texts and numbers and hexes and 0 < entry.seq < MAX_SEQ and 0 <= entry.recorded_at < MAX_TIME


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _entry_problems(last: Head, entry: Entry, key: bytes | None, must_be_signed: bool) -> list[Problem]:
    """Return the problems of an entry, given the previous one."""
    problems = []
    if entry.seq != last.seq + 1:
        missing = _missing(last.seq + 1, entry.seq - 1) if entry.seq > last.seq else "out of order"
        problems.append(f"entry {entry.seq} follows {last.seq}: {missing}")
    elif entry.previous_hash != last.hash:
        problems.append(f"entry {entry.seq} does not contain the hash of entry {last.seq}")
    if _entry_hash(entry.seq, entry.recorded_at, entry.fact, entry.previous_hash) != entry.hash:
        problems.append(f"entry {entry.seq} was changed: its hash does not match")
    if key and entry.mac and not _has_valid_mac(key, entry):
        problems.append(f"entry {entry.seq} was not signed with this key")
    if key and must_be_signed and not entry.mac:
        problems.append(f"entry {entry.seq} is not signed, but earlier entries are")
    return [Problem(entry.seq, text) for text in problems]


def _head_problem(head: Head, last: Head, hashes: Mapping[int, str]) -> Problem | None:
    source = head.source or "a saved hash"
    if head.seq > last.seq:
        return Problem(last.seq + 1, f"the end is cut off: {source} shows entry {head.seq}, the last one is {last.seq}")
    if hashes.get(head.seq) != head.hash:
        return Problem(head.seq, f"entry {head.seq} differs from {source}")
    return None


def _entry_hash(seq: int, recorded_at: float, fact: AuditFact, previous_hash: str) -> str:
    document = {"seq": seq, "at": recorded_at, "fact": _stored(fact, FACT_FIELDS), "prev": previous_hash}
    return hashlib.sha256(_canonical_json(document).encode()).hexdigest()


def _canonical_json(value: Any) -> str:
    """Return the only JSON text of a value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _has_valid_mac(key: bytes, entry: Entry) -> bool:
    return hmac.compare_digest(_entry_mac(key, entry.hash), entry.mac)


def _entry_mac(key: bytes, entry_hash: str) -> str:
    return hmac.new(key, entry_hash.encode(), hashlib.sha256).hexdigest()
