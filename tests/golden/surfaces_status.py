"""The lists that the bot replies with: runs, one run, and the audit log. Text per surface."""

from typing import get_args

from redis import Redis

from bot import audit_table
from imker import chain
from imker.chain import Fact, Head
from tests.bot.desk import NODE, Bench
from tests.bot.desk import STATES as RUNS
from tests.golden.page import page, section
from tests.golden.people import AT, bench, plain, replies, reply

STATES = ("running", "pending", "warned", "fleet", "stop", "store", "over", "daves")


def status(redis: Redis) -> str:
    made = bench(redis)
    empty = replies(made, ("alice", "status"), ("alice", "status k3fm9x2q"))
    runs = {state: _waiting(made, state) for state in STATES}
    made.later(90)
    listed = replies(made, ("alice", "status"), ("dave", "status"), ("erin", "status"))
    one = [
        reply(made, f"alice: /swarm status RUN, {state}", "types", "alice", f"status {run}")
        for state, run in runs.items()
    ]
    many = bench(redis)
    for number in range(18):
        many.salt = str(number)
        many.run("running")
    return page(*empty, *listed, *one, *(f"{text}\n(18 runs)" for text in replies(many, ("alice", "status"))))


def _waiting(made: Bench, state: str) -> str:
    """Start a run in that state. Only the question of acceptance has a limit in time."""
    run = made.run(state)
    if "pending" not in state and state != "daves":
        made.redis.delete(f"run:{run}:events")
        made.tell(run, *RUNS[state][3])
    return run


FACTS = (
    Fact("1", "asked", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
    Fact(
        "2", "refused", "U08DAVE", "C01OPS", said={"why": "denied", "text": "/swarm migrate all", "answer": "Not done"}
    ),
    Fact("3", "refused", "U08DAVE", "C01OPS", said={"why": "misuse"}),
    Fact("4", "began", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"command": "migrate", "job": "1"}),
    Fact("5", "step", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"step": "JoinSwarm", "outcome": "done", "job": "1"}),
    Fact(
        "6",
        "changed",
        "U01ALICE",
        "C01OPS",
        "k3fm9x2q",
        "kaditz",
        {"path": "/etc/default/docker", "before": "a" * 64, "after": "b" * 64, "job": "1"},
    ),
    Fact("7", "changed", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"path": "/x", "before": "", "after": "b" * 64}),
    Fact(
        "8",
        "waits",
        "U01ALICE",
        "C01OPS",
        "k3fm9x2q",
        "kaditz",
        {"question": "accept", "shown": "f00d", "node": NODE, "refused": "it is no longer as it was shown", "job": "1"},
    ),
    Fact("9", "decided", "U02BOB", "C01OPS", "k3fm9x2q", "kaditz", {"verdict": "accept", "job": "1"}),
    Fact("10", "held", "U02BOB", "C01OPS", "k3fm9x2q", said={"verdict": "pause"}),
    Fact(
        "11",
        "began",
        "U01ALICE",
        "C01OPS",
        "k3fm9x2q",
        "kaditz",
        {"command": "accept", "approved": "U02BOB", "shown": "f00d", "node": NODE, "job": "2"},
    ),
    Fact(
        "12",
        "refused",
        run="k3fm9x2q",
        host="kaditz",
        said={"why": "turned away", "answer": "it expired", "claims": "U01ALICE", "command": "migrate"},
    ),
    Fact("13", "ended", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"outcome": "done", "job": "2"}),
)


def audit(redis: Redis) -> str:
    assert {fact.what for fact in FACTS} == set(get_args(chain.What))
    entries, head = [], None
    for number, fact in enumerate(FACTS):
        entries.append(chain.link(head, fact, AT + number))
        head = Head(entries[-1].seq, entries[-1].hash)
    tables = {
        "/swarm audit": audit_table.shown(entries[::-1], None),
        "/swarm audit kaditz": audit_table.shown(
            audit_table.about(entries[::-1], "kaditz", "C01OPS", ("*",)), "kaditz"
        ),
        "/swarm audit, none yet": audit_table.shown([], None),
        "/swarm audit tondi, none of it": audit_table.shown([], "tondi"),
    }
    return page(*(section(title, *plain(shown)) for title, shown in tables.items()))
