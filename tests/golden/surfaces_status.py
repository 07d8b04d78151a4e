"""Format the lists in replies: runs, one run, and the audit log."""

from typing import get_args

from redis import Redis

from bot.messages.replies import audit_table
from imker import hash_chain
from imker.hash_chain import AuditFact, Head
from tests.golden.private_replies import AT, create_harness, plain, replies, reply
from tests.golden.text_layout import page, section
from tests.support.bot_harness import NODE, BotHarness
from tests.support.bot_harness import SCENARIOS as RUNS

STATES = ("running", "pending", "warned", "fleet", "stop", "store", "over", "daves")


def status(redis: Redis) -> str:
    harness = create_harness(redis)
    empty = replies(harness, ("alice", "status"), ("alice", "status k3fm9x2q"))
    runs = {state: _waiting(harness, state) for state in STATES}
    harness.advance_clock(90)
    listed = replies(harness, ("alice", "status"), ("dave", "status"), ("erin", "status"))
    item = [
        reply(harness, f"alice: /swarm status RUN, {state}", "types", "alice", f"status {run}")
        for state, run in runs.items()
    ]
    many = create_harness(redis)
    for number in range(18):
        many.salt = str(number)
        many.create_run("running")
    return page(*empty, *listed, *item, *(f"{text}\n(18 runs)" for text in replies(many, ("alice", "status"))))


def _waiting(harness: BotHarness, state: str) -> str:
    """Start a run that waits for this question. Only the acceptance question expires."""
    run = harness.create_run(state)
    if "pending" not in state and state != "daves":
        harness.redis.delete(f"run:{run}:events")
        harness.emit(run, *RUNS[state][3])
    return run


FACTS = (
    AuditFact("1", "asked", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
    AuditFact(
        "2",
        "refused",
        "U08DAVE",
        "C01OPS",
        details={"why": "denied", "text": "/swarm migrate all", "answer": "Not done"},
    ),
    AuditFact("3", "refused", "U08DAVE", "C01OPS", details={"why": "misuse"}),
    AuditFact("4", "began", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"command": "migrate", "job": "1"}),
    AuditFact(
        "5", "step", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"step": "JoinSwarm", "outcome": "done", "job": "1"}
    ),
    AuditFact(
        "6",
        "changed",
        "U01ALICE",
        "C01OPS",
        "k3fm9x2q",
        "kaditz",
        {"path": "/etc/default/docker", "before": "a" * 64, "after": "b" * 64, "job": "1"},
    ),
    AuditFact(
        "7", "changed", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"path": "/x", "before": "", "after": "b" * 64}
    ),
    AuditFact(
        "8",
        "waits",
        "U01ALICE",
        "C01OPS",
        "k3fm9x2q",
        "kaditz",
        {"question": "accept", "shown": "f00d", "node": NODE, "refused": "it is no longer as it was shown", "job": "1"},
    ),
    AuditFact("9", "decided", "U02BOB", "C01OPS", "k3fm9x2q", "kaditz", {"verdict": "accept", "job": "1"}),
    AuditFact("10", "held", "U02BOB", "C01OPS", "k3fm9x2q", details={"verdict": "pause"}),
    AuditFact(
        "11",
        "began",
        "U01ALICE",
        "C01OPS",
        "k3fm9x2q",
        "kaditz",
        {"command": "accept", "approved": "U02BOB", "shown": "f00d", "node": NODE, "job": "2"},
    ),
    AuditFact(
        "12",
        "refused",
        run="k3fm9x2q",
        host="kaditz",
        details={"why": "job rejected", "answer": "it expired", "claims": "U01ALICE", "command": "migrate"},
    ),
    AuditFact("13", "ended", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"outcome": "done", "job": "2"}),
)


def audit(redis: Redis) -> str:
    assert {fact.kind for fact in FACTS} == set(get_args(hash_chain.EntryKind))
    entries, head = [], None
    for number, fact in enumerate(FACTS):
        entries.append(hash_chain.append_to(head, fact, AT + number))
        head = Head(entries[-1].seq, entries[-1].hash)
    tables = {
        "/swarm audit": audit_table.render_table(entries[::-1], None),
        "/swarm audit kaditz": audit_table.render_table(
            audit_table.filter_entries(entries[::-1], "kaditz", "C01OPS", ("*",)), "kaditz"
        ),
        "/swarm audit, none yet": audit_table.render_table([], None),
        "/swarm audit tondi, none of it": audit_table.render_table([], "tondi"),
    }
    return page(*(section(title, *plain(table)) for title, table in tables.items()))
