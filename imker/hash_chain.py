"""The record's chain: each entry holds the hash of the one before it, so that what was written cannot change unseen.

In: what is to be recorded, and the entry before it. Out: entries, and what is wrong with a chain of them. Pure.
A chain cannot show by itself that its end was cut off: for that it is compared with heads that are kept elsewhere.
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
MOST, LATEST = 2**53, 253_402_300_800  # no more entries are numbered; UNIX seconds of the year 10000
# Stored name -> attribute. The stored names are hashed and must never change: older logs have to verify.
FACT_FIELDS = {
    "id": "id", "what": "kind", "who": "user", "channel": "channel", "run": "run", "host": "host", "said": "details",
}  # fmt: skip
ENTRY_FIELDS = {"seq": "seq", "at": "recorded_at", "prev": "previous_hash", "hash": "hash", "mac": "mac"}
GENESIS_HASH = "0" * 64  # what the first entry has for the hash of the one before it


@dataclass(frozen=True)
class AuditFact:
    """What is to be recorded. `id`: one a fact, so that a repeat adds nothing; `who`: Slack user ID.

    `said`: the rest, by name; never a secret, and of a file only its digest.
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
    """A fact in its place. `seq` counts from 1; `at`: UNIX seconds; `mac`: "" when no key was given."""

    seq: int
    recorded_at: float
    fact: AuditFact
    previous_hash: str
    hash: str
    mac: str = ""


@dataclass(frozen=True)
class Head:
    """The newest entry, as somebody saw it once. `where`: for people, such as "in the channel"."""

    seq: int
    hash: str
    source: str = ""


@dataclass(frozen=True)
class Problem:
    """`seq`: the entry where it shows."""

    seq: int
    text: str


def append_to(head: Head | None, fact: AuditFact, recorded_at: float, key: bytes | None = None) -> Entry:
    """The fact's entry behind that head. `at`: UNIX seconds; `key`: of the HMAC."""
    seq, before = (head.seq + 1, head.hash) if head else (1, GENESIS_HASH)
    digest = _entry_hash(seq, recorded_at, fact, before)
    return Entry(seq, recorded_at, fact, before, digest, _entry_mac(key, digest) if key else "")


def entry_holds(entry: Entry, fact: AuditFact, key: bytes | None = None) -> bool:
    """Return whether the entry is this very fact's, whole, and signed if there is a key."""
    whole = _entry_hash(entry.seq, entry.recorded_at, entry.fact, entry.previous_hash) == entry.hash
    return entry.fact == fact and whole and (key is None or _has_valid_mac(key, entry))


def verify(
    entries: Iterable[Entry | None], heads: Iterable[Head] = (), key: bytes | None = None, unsigned_until: int = 0
) -> tuple[Problem, ...]:
    """Return all that is wrong; None stands for what could not be read as an entry.

    `unsigned_until`: the last entry from before there was a key; with a key, each one behind it has to be signed.
    """
    hashes: dict[int, str] = {}
    problems: list[Problem] = []
    last, must_be_signed, unsigned = Head(0, GENESIS_HASH), False, list[int]()
    for entry in entries:
        if entry is None:
            problems.append(Problem(last.seq + 1, f"what stands after entry {last.seq} is no entry"))
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
        return f"a key is set, and no entry is signed with it: {seqs[0]} to {seqs[-1]}"
    return (
        f"entries {seqs[0]} to {seqs[-1]} are not signed: somebody without the key wrote them, or they are older than "
        f"the key. If you know that they are older, run this with --unsigned-until {seqs[-1]}"
    )


def encode_entry(entry: Entry) -> str:
    """Return the entry as stored: canonical JSON with the stored field names."""
    return _canonical_json({**_stored(entry, ENTRY_FIELDS), "fact": _stored(entry.fact, FACT_FIELDS)})


def decode_entry(text: str | bytes) -> Entry | None:
    """Return None for what is no entry, or holds more than one: whatever a Redis user writes, it can be read on."""
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
    """Return whether each field is of its type and in its bounds."""
    fact = entry.fact
    said = isinstance(fact.details, dict) and all(isinstance(text, str) for text in fact.details.values())
    texts = all(isinstance(getattr(fact, name), str) for name in FACT_FIELDS.values() if name != "details")
    numbers = type(entry.seq) is int and type(entry.recorded_at) in (int, float)
    digests = (entry.previous_hash, entry.hash, GENESIS_HASH if entry.mac == "" else entry.mac)
    hexes = all(isinstance(digest, str) and DIGEST.fullmatch(digest) for digest in digests)
    return said and texts and numbers and hexes and 0 < entry.seq < MOST and 0 <= entry.recorded_at < LATEST


def _entry_problems(last: Head, entry: Entry, key: bytes | None, must_be_signed: bool) -> list[Problem]:
    """What is wrong with an entry behind the one before it."""
    problems = []
    if entry.seq != last.seq + 1:
        missing = f"entries {last.seq + 1} to {entry.seq - 1} are missing" if entry.seq > last.seq else "out of order"
        problems.append(f"entry {entry.seq} follows {last.seq}: {missing}")
    elif entry.previous_hash != last.hash:
        problems.append(f"entry {entry.seq} does not follow from entry {last.seq} as it stands")
    if _entry_hash(entry.seq, entry.recorded_at, entry.fact, entry.previous_hash) != entry.hash:
        problems.append(f"entry {entry.seq} was changed: its hash is another")
    if key and entry.mac and not _has_valid_mac(key, entry):
        problems.append(f"entry {entry.seq} was not signed with this key")
    if key and must_be_signed and not entry.mac:
        problems.append(f"entry {entry.seq} is not signed, though those before it are")
    return [Problem(entry.seq, text) for text in problems]


def _head_problem(head: Head, last: Head, hashes: Mapping[int, str]) -> Problem | None:
    source = head.source or "a head"
    if head.seq > last.seq:
        return Problem(last.seq + 1, f"the end is cut off: {source} tells of entry {head.seq}, the last is {last.seq}")
    if hashes.get(head.seq) != head.hash:
        return Problem(head.seq, f"entry {head.seq} is not the one that {source} tells of")
    return None


def _entry_hash(seq: int, recorded_at: float, fact: AuditFact, previous_hash: str) -> str:
    document = {"seq": seq, "at": recorded_at, "fact": _stored(fact, FACT_FIELDS), "prev": previous_hash}
    return hashlib.sha256(_canonical_json(document).encode()).hexdigest()


def _canonical_json(value: Any) -> str:
    """One text for one value: sorted, without spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _has_valid_mac(key: bytes, entry: Entry) -> bool:
    return hmac.compare_digest(_entry_mac(key, entry.hash), entry.mac)


def _entry_mac(key: bytes, entry_hash: str) -> str:
    return hmac.new(key, entry_hash.encode(), hashlib.sha256).hexdigest()
