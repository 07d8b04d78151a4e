"""What people do, into the record; and the table that shows it."""

import pytest
from redis import Redis

from bot import answers, audit_table
from bot.grammar import Misuse
from bot.kit import Message
from bot.minutes import Minutes
from bot.policy import Denied
from bot.record import Decision, RunRecord
from imker.audit import Audit
from imker.chain import Entry, Fact, Head, link
from jobs.contract import Migrate

RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
DENIED = answers.denied(Denied("it takes the right `change`", ("U01ALICE",)))
MISUSE = answers.misuse(Misuse("There is no command frobnicate.", "/swarm help"), {}, ())


def kept(redis: Redis) -> list[Fact]:
    return [entry.fact for entry in Audit(redis).entries() if entry]


def test_a_run_and_its_decisions_are_recorded_once_however_often_they_come(redis: Redis) -> None:
    minutes = Minutes(Audit(redis))
    for _ in range(3):
        minutes.started(RECORD)
        minutes.decided(RECORD, Decision(1, "accept", "U02BOB", 5.0))
        minutes.held("U02BOB", RECORD, "t1", "pause")
        minutes.asked("U03CAROL", "C01OPS", "t2", "/swarm status")
    told = [(fact.what, fact.who, fact.run, fact.host, dict(fact.said)) for fact in kept(redis)]
    assert told == [
        ("asked", "U01ALICE", "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
        ("decided", "U02BOB", "k3fm9x2q", "kaditz", {"verdict": "accept", "job": "1"}),
        ("held", "U02BOB", "k3fm9x2q", "", {"verdict": "pause"}),
        ("asked", "U03CAROL", "", "", {"text": "/swarm status"}),
    ]


@pytest.mark.parametrize(
    ("answer", "why", "typed"),
    [
        (DENIED, "denied", True),
        (MISUSE, "misuse", False),
        (answers.note("There is no such request any more."), "void", True),
        (answers.said("Run k3fm9x2q goes on."), None, False),
        (answers.help_for({}, ()), None, False),
    ],
)
def test_a_refusal_is_recorded_before_it_is_told(redis: Redis, answer: Message, why: str | None, typed: bool) -> None:
    """Of what was not understood, not what was typed: that may be anything."""
    heard: list[tuple[Message, int]] = []
    minutes = Minutes(Audit(redis))
    tell = minutes.heard(
        "U03CAROL", "C01OPS", "t9", "/swarm typed", lambda said: heard.append((said, len(kept(redis))))
    )
    tell(answer)
    assert heard == [(answer, 0 if why is None else 1)]
    told = {"text": "/swarm typed", "answer": answer.text} if typed else {}
    assert [dict(fact.said) for fact in kept(redis)] == ([{"why": why, **told}] if why else [])


def test_what_is_kept_is_short_and_without_secrets(redis: Redis) -> None:
    Minutes(Audit(redis)).asked("U01ALICE", "C01OPS", "t", "/swarm xoxb-123-abc \x1b[31m" + "x" * 4000)
    (fact,) = kept(redis)
    assert fact.said["text"].startswith("/swarm … x")
    assert len(fact.said["text"]) == 160


# --- the table -----------------------------------------------------------------------------------------------------


def record(*facts: Fact) -> list[Entry]:
    """Newest first, as the table takes them."""
    entries: list[Entry] = []
    for fact in facts:
        last = entries[0] if entries else None
        entries.insert(0, link(Head(last.seq, last.hash) if last else None, fact, 1795440000.0))
    return entries


ENTRIES = record(
    Fact("1", "asked", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
    Fact(
        "2", "changed", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"path": "/etc/x", "before": "", "after": "b" * 64}
    ),
    Fact(
        "3",
        "began",
        "U05DAVE",
        "C01OPS",
        "zzzzzzzz",
        "",
        {"command": "accept", "approved": "U02BOB", "node": "j8xsy2yb8"},
    ),
    Fact("4", "refused", "U03CAROL", "C01OPS", "", "", {"why": "denied", "answer": "<!channel> no"}),
)


@pytest.mark.parametrize(
    ("who", "found"),
    [
        (None, ["4", "3", "2", "1"]),
        ("kaditz", ["2", "1"]),
        ("K3FM9X2Q", ["2", "1"]),
        ("u03carol", ["4"]),
        ("U02BOB", ["3"]),
        ("j8xsy2", ["3"]),
        ("lausen", []),
    ],
)
def test_it_can_be_asked_about_a_host_a_user_or_a_run(who: str | None, found: list[str]) -> None:
    assert [entry.fact.id for entry in audit_table.about(ENTRIES, who, "C01OPS", ("*",))] == found


@pytest.mark.parametrize(
    ("channel", "within", "found"),
    [
        ("C01OPS", ("*",), ["4", "3", "2", "1"]),
        ("C01OPS", ("kad*",), ["2", "1"]),
        ("C01OPS", ("lei-*",), []),
        ("C01OPS", (), []),
        ("C02DEV", ("*",), []),
    ],
)
def test_it_shows_what_the_reader_may_read_of_here(channel: str, within: tuple[str, ...], found: list[str]) -> None:
    assert [entry.fact.id for entry in audit_table.about(ENTRIES, None, channel, within)] == found


def test_the_table_shows_the_newest_thirty() -> None:
    many = record(*(Fact(str(n), "asked", "U01ALICE", said={"text": f"/swarm plan {n}"}) for n in range(50)))
    message = audit_table.shown(audit_table.about(many, None, "", ("*",)), None)
    assert len(message.blocks[0]["rows"]) == 31
    assert "/swarm plan 49" in message.text
    assert "/swarm plan 19" not in message.text


def test_a_changed_file_is_told_by_the_beginnings_of_its_digests() -> None:
    rows = audit_table.shown(ENTRIES, None).blocks[0]["rows"]
    assert [row[5]["text"] for row in rows[2:4]] == [
        "approved U02BOB, accept, node j8xsy2yb8",
        "/etc/x: none → bbbbbbbb",
    ]
    assert rows[1][5] == {"type": "raw_text", "text": "<!channel> no, denied"}, "raw text: no mention comes alive"


def test_a_record_without_anything_to_read_says_so() -> None:
    assert "nothing on kaditz" in audit_table.shown([], "kaditz").text
    assert "nothing that you may read here" in audit_table.shown([], None).text
