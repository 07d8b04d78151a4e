import hashlib
import re
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker import hash_chain
from imker.hash_chain import AuditFact, Entry, Head, append_to, decode_entry, encode_entry, verify

KEY = b"a key that only auditors know"


def chained(number: int, key: bytes | None = None) -> list[Entry]:
    """Return a chain of that many entries."""
    facts = [
        AuditFact(f"f{n}", "step", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"outcome": "done"})
        for n in range(number)
    ]
    entries: list[Entry] = []
    for fact in facts:
        last = entries[-1] if entries else None
        entries.append(append_to(Head(last.seq, last.hash) if last else None, fact, 1000.5 + len(entries), key))
    return entries


def head_of(entries: list[Entry]) -> Head:
    return Head(entries[-1].seq, entries[-1].hash, "the channel")


def test_verifies_an_intact_chain() -> None:
    entries = chained(20, KEY)
    assert verify(entries, [head_of(entries), head_of(entries[:7])], KEY) == ()
    assert verify([], []) == ()


@pytest.mark.parametrize(
    ("change", "seq", "says"),
    [
        (lambda e: [*e[:4], replace(e[4], fact=replace(e[4].fact, user="U09EVE")), *e[5:]], 5, "was changed"),
        (lambda e: [*e[:4], replace(e[4], recorded_at=1.0), *e[5:]], 5, "was changed"),
        (lambda e: [*e[:4], *e[5:]], 6, "entry 5 is missing"),
        (lambda e: e[3:], 4, "entries 1 to 3 are missing"),
        (lambda e: [*e[:4], e[5], e[4], *e[6:]], 6, "entry 5 is missing"),
        (lambda e: [*e[:4], e[3], *e[4:]], 4, "out of order"),
        (lambda e: e[:-1], 10, "the end is cut off: the channel shows entry 10, the last one is 9"),
        (lambda e: [], 1, "the end is cut off"),
        (lambda e: [*e[:4], None, *e[5:]], 5, "is not an entry"),
        (lambda e: [*e[:4], *rewritten(e[3], e[4:])], 10, "entry 10 differs from the channel"),
    ],
)  # fmt: skip
def test_detects_every_kind_of_tampering(change: object, seq: int, says: str) -> None:
    entries = chained(10)
    problems = verify(change(entries), [head_of(entries)])  # type: ignore[operator]
    assert problems[0].seq == seq
    assert says in problems[0].text


def rewritten(last: Entry, entries: list[Entry], key: bytes | None = None) -> list[Entry]:
    """Rewrite the entries with new hashes, as an attacker with access to Redis could."""
    chain_entries = accumulate(
        entries,
        lambda before, entry: append_to(
            Head(before.seq, before.hash), replace(entry.fact, user="U09EVE"), entry.recorded_at, key
        ),
        initial=last,
    )
    return list(chain_entries)[1:]


@pytest.mark.parametrize(
    ("rewrite", "seq", "says"),
    [
        (lambda e: [*e[:4], *rewritten(e[3], e[4:])], 5, "is not signed, but earlier entries are"),
        (lambda e: [*e[:4], *rewritten(e[3], e[4:], b"a guess")], 5, "was not signed with this key"),
        (lambda e: chained(10), 1, "no entry is signed"),
        (lambda e: [replace(entry, mac="") for entry in e], 1, "no entry is signed"),
    ],
)
def test_detects_a_chain_rewritten_without_the_key(rewrite: object, seq: int, says: str) -> None:
    problems = verify(rewrite(chained(10, KEY)), key=KEY)  # type: ignore[operator]
    assert (problems[0].seq, says in problems[0].text) == (seq, True)


def test_accepts_a_key_that_was_set_later() -> None:
    first = chained(3)
    signed = rewritten(first[-1], chained(6)[3:], KEY)
    assert verify([*first, *signed], key=KEY, unsigned_until=3) == ()
    edited = [replace(first[0], recorded_at=1.0), *first[1:], *signed]
    assert verify(edited, key=KEY, unsigned_until=3)[0].seq == 1


@pytest.mark.parametrize(
    ("until", "says"), [(0, "entries 1 to 3 are not signed"), (2, "entries 3 to 3 are not signed")]
)
def test_reports_unsigned_entries_unless_they_are_named(until: int, says: str) -> None:
    """A log that was wiped and rewritten without the key looks the same."""
    first = chained(3)
    (problem,) = verify([*first, *rewritten(first[-1], chained(6)[3:], KEY)], key=KEY, unsigned_until=until)
    assert (problem.seq, problem.text.startswith(says)) == (until + 1, True)


@given(st.text(), st.dictionaries(st.text(), st.text()), st.floats(0, 1e11))
def test_decodes_an_encoded_entry(text: str, details: dict[str, str], at: float) -> None:
    entry = append_to(None, AuditFact(text, "asked", details=details), at)
    again = decode_entry(encode_entry(entry))
    assert again == entry
    assert verify([again]) == ()


@given(st.integers(1, 12), st.data())
def test_detects_a_change_of_any_field(number: int, data: st.DataObject) -> None:
    entries = chained(number)
    at = data.draw(st.integers(0, number - 1))
    name = data.draw(
        st.sampled_from(("seq", "recorded_at", "previous_hash", "hash", "user", "channel", "run", "host", "id"))
    )
    value = data.draw(st.integers(1000, 9999))
    old = entries[at]
    if name in ("seq", "recorded_at"):
        new = replace(old, **{name: value})
    elif name in ("previous_hash", "hash"):
        new = replace(old, **{name: f"{value:064d}"})
    else:
        new = replace(old, fact=replace(old.fact, **{name: str(value)}))
    assert verify([*entries[:at], new, *entries[at + 1 :]], [head_of(entries)])


ONE = encode_entry(chained(1)[0])


def with_field(name: str, value: str) -> str:
    """Return an entry's JSON with another value of one field."""
    return re.sub(f'"{name}":("[^"]*"|[0-9.]+)', lambda _: f'"{name}":{value}', ONE, count=1)


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", "null", "true", "{}{}", "\xff", '{"fact": 1}'])
def test_decodes_nothing_but_entries(text: str) -> None:
    assert decode_entry(text) is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"fact":' * 50_000, "9" * 100_000])
def test_survives_deep_and_long_json(text: str) -> None:
    assert decode_entry(text) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seq", value) for value in ('"1"', "true", "1.0", "0", "-1", "9" * 4000, '1,"more":1')),
        *(("at", value) for value in ("NaN", "1e999", "1e300", "-1", "true", '"1"')),
        *((name, value) for name in ("hash", "prev", "mac") for value in (r'"\ud800"', '"ab"', '"A"', "7", "null")),
        *(("hash", '""'), ("prev", '""'), ("host", "7"), ("who", "null")),
        *(("outcome", value) for value in ("7", "null", "[]", "{}")),
    ],
)
def test_rejects_fields_of_other_types_or_out_of_range(name: str, value: str) -> None:
    assert with_field(name, value) != ONE
    assert decode_entry(with_field(name, value)) is None


def test_hashes_canonical_json() -> None:
    """Other tools can compute the hash from this text."""
    entry = append_to(None, AuditFact("f1", "asked"), 2.0)
    chain_entries = (
        '{"at":2.0,"fact":{"channel":"","host":"","id":"f1","run":"","said":{},"what":"asked","who":""},'
        f'"prev":"{hash_chain.GENESIS_HASH}","seq":1}}'
    )
    assert entry.hash == hashlib.sha256(chain_entries.encode()).hexdigest()


def test_verifies_a_log_that_an_older_version_wrote() -> None:
    """The stored names are hashed: a renamed attribute must not change what is stored. Entries 4 to 9 are signed."""
    lines = Path("tests/data/audit/first-release.jsonl").read_text().splitlines()
    entries = [decode_entry(line) for line in lines]
    last = entries[-1]
    assert last is not None
    assert last.fact == AuditFact(
        "k3fm9x2q:2:e", "ended", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"outcome": "done", "job": "2"}
    )
    head = Head(9, "0080cd7487665ff18fe3a7b77f651e659cb9c7ace13d947de47d54bb66b03d4c", "the channel")
    assert verify(entries, [head], b"audit-key", unsigned_until=3) == ()
    assert [encode_entry(entry) for entry in entries if entry] == lines
