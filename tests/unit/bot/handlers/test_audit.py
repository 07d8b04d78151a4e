"""The audit entries of commands and decisions, and the table that shows them."""

import pytest
from redis import Redis

from bot.auth.policy import Denied
from bot.commands.model import UsageError
from bot.handlers.audit import AuditRecorder
from bot.messages.block_kit import Message
from bot.messages.replies import audit_table, command_help, responses
from bot.records import Decision, RunRecord
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, Entry, Head, append_to
from imker.protocol.commands import Migrate

RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
DENIED = responses.denied(Denied("you don't have permission to migrate `kaditz`", ("U01ALICE",)))
MISUSE = responses.usage_error(UsageError("There is no command frobnicate.", "/swarm help"), "frobnicate", {}, ())


def recorded_facts(redis: Redis) -> list[AuditFact]:
    return [entry.fact for entry in AuditLog(redis).entries() if entry]


def test_records_a_run_and_its_decisions_once(redis: Redis) -> None:
    recorder = AuditRecorder(AuditLog(redis))
    for _ in range(3):
        recorder.run_started(RECORD)
        recorder.decision(RECORD, Decision(1, "accept", "U02BOB", 5.0))
        recorder.hold("U02BOB", RECORD, "t1", "pause")
        recorder.command("U03CAROL", "C01OPS", "t2", "/swarm status")
    recorded = [(fact.kind, fact.user, fact.run, fact.host, dict(fact.details)) for fact in recorded_facts(redis)]
    assert recorded == [
        ("asked", "U01ALICE", "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
        ("decided", "U02BOB", "k3fm9x2q", "kaditz", {"verdict": "accept", "job": "1"}),
        ("held", "U02BOB", "k3fm9x2q", "", {"verdict": "pause"}),
        ("asked", "U03CAROL", "", "", {"text": "/swarm status"}),
    ]


@pytest.mark.parametrize(
    ("answer", "why", "command"),
    [
        (DENIED, "denied", True),
        (MISUSE, "misuse", False),
        (responses.not_found("This button no longer works."), "void", True),
        (responses.info("Run k3fm9x2q is resumed."), None, False),
        (command_help.help_for({}, ()), None, False),
    ],
)
def test_records_a_refusal_before_it_replies(redis: Redis, answer: Message, why: str | None, command: bool) -> None:
    """Check that the text of a command that could not be parsed is left out: it may be anything."""
    replies: list[tuple[Message, int]] = []
    recorder = AuditRecorder(AuditLog(redis))
    audited_reply = recorder.wrap_reply(
        "U03CAROL", "C01OPS", "t9", "/swarm typed", lambda reply: replies.append((reply, len(recorded_facts(redis))))
    )
    audited_reply(answer)
    assert replies == [(answer, 0 if why is None else 1)]
    details = {"text": "/swarm typed", "answer": answer.text} if command else {}
    assert [dict(fact.details) for fact in recorded_facts(redis)] == ([{"why": why, **details}] if why else [])


def test_shortens_and_redacts_texts(redis: Redis) -> None:
    AuditRecorder(AuditLog(redis)).command("U01ALICE", "C01OPS", "t", "/swarm xoxb-123-abc \x1b[31m" + "x" * 4000)
    (fact,) = recorded_facts(redis)
    assert fact.details["text"].startswith("/swarm … x")
    assert len(fact.details["text"]) == 160


# --- the table -----------------------------------------------------------------------------------------------------


def record(*facts: AuditFact) -> list[Entry]:
    """Return entries of these facts, newest first, as the table expects them."""
    entries: list[Entry] = []
    for fact in facts:
        last = entries[0] if entries else None
        entries.insert(0, append_to(Head(last.seq, last.hash) if last else None, fact, 1795440000.0))
    return entries


ENTRIES = record(
    AuditFact("1", "asked", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
    AuditFact(
        "2", "changed", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"path": "/etc/x", "before": "", "after": "b" * 64}
    ),
    AuditFact(
        "3",
        "began",
        "U05DAVE",
        "C01OPS",
        "zzzzzzzz",
        "",
        {"command": "accept", "approved": "U02BOB", "node": "j8xsy2yb8"},
    ),
    AuditFact("4", "refused", "U03CAROL", "C01OPS", "", "", {"why": "denied", "answer": "<!channel> no"}),
)


@pytest.mark.parametrize(
    ("who", "expected_count"),
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
def test_filters_by_host_user_or_run(who: str | None, expected_count: list[str]) -> None:
    assert [entry.fact.id for entry in audit_table.filter_entries(ENTRIES, who, "C01OPS", ("*",))] == expected_count


@pytest.mark.parametrize(
    ("channel", "within", "expected_count"),
    [
        ("C01OPS", ("*",), ["4", "3", "2", "1"]),
        ("C01OPS", ("kad*",), ["2", "1"]),
        ("C01OPS", ("lei-*",), []),
        ("C01OPS", (), []),
        ("C02DEV", ("*",), []),
    ],
)
def test_shows_only_entries_that_the_reader_may_read_in_this_channel(
    channel: str, within: tuple[str, ...], expected_count: list[str]
) -> None:
    assert [entry.fact.id for entry in audit_table.filter_entries(ENTRIES, None, channel, within)] == expected_count


def test_the_table_shows_the_latest_thirty_entries() -> None:
    many = record(*(AuditFact(str(n), "asked", "U01ALICE", details={"text": f"/swarm plan {n}"}) for n in range(50)))
    message = audit_table.render_table(audit_table.filter_entries(many, None, "", ("*",)), None)
    assert len(message.blocks[0]["rows"]) == 31
    assert "/swarm plan 49" in message.text
    assert "/swarm plan 19" not in message.text


def test_shows_a_changed_file_by_its_shortened_digests() -> None:
    rows = audit_table.render_table(ENTRIES, None).blocks[0]["rows"]
    assert [row[5]["text"] for row in rows[2:4]] == [
        "approved U02BOB, accept, node j8xsy2yb8",
        "/etc/x: none → bbbbbbbb",
    ]
    assert rows[1][5] == {"type": "raw_text", "text": "<!channel> no, denied"}, "raw text: no mention comes alive"


def test_an_empty_table_says_so() -> None:
    assert "no entries about kaditz" in audit_table.render_table([], "kaditz").text
    assert "no entries that you may read here" in audit_table.render_table([], None).text
