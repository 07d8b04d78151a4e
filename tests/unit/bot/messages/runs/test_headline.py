"""Test the headline: what a run is doing, or what came out, and how often it changes by itself."""

from collections.abc import Sequence

import pytest

from bot.messages.runs import run_message
from bot.messages.runs.headline import headline, headline_text, rest_of_summary
from bot.records import QueueStatus, RunRecord
from bot.state.run_state import RunState, fold
from imker.protocol.commands import Accept, Command, ListHosts, ListNodes, Migrate, PlanHost, RetireStore, RunDoctor
from imker.protocol.event_log import EventLog
from imker.protocol.events import (
    ChecksCompleted,
    Event,
    EventBody,
    HostTable,
    JobFinished,
    JobStarted,
    NodeTable,
    Outcome,
    Planned,
    StepDone,
    StepFailed,
    StepStarted,
)
from imker.protocol.values import Finding, HostRow, NodeRow, StepLine
from lab.slack.validate_message import find_problems

STEPS = tuple(StepLine(f"s{n}", title) for n, title in enumerate(("Drain", "Upgrade the Engine", "Join"), 1))
MIGRATE = Migrate("tondi")
HALF: tuple[EventBody, ...] = (
    JobStarted("tondi"), Planned(STEPS), StepStarted("s1"), StepDone("s1"), StepStarted("s2"),
)  # fmt: skip
WHOLE: tuple[EventBody, ...] = (*HALF, StepDone("s2"), StepStarted("s3"), StepDone("s3"))
PASS, WARN, BLOCK = (Finding("disk", level, "its text") for level in ("pass", "warn", "block"))  # type: ignore[arg-type]


def run(
    *bodies: EventBody, command: Command = MIGRATE, rq: QueueStatus = "finished", now: float = 60.0, unit: float = 1.0
) -> RunState:
    """Fold a run whose events are `unit` seconds apart."""
    record = RunRecord("k3fm9x2q", command, command.text, "U01ALICE", "C01OPS", 0.0)
    events = tuple(Event("k3fm9x2q", 1, number, number * unit, body) for number, body in enumerate(bodies, 1))
    return fold(record, EventLog(events), rq, now)


def node(name: str, status: str = "Ready", manager: str = "", pending: bool = False) -> NodeRow:
    membership = "Pending" if pending else "Accepted"
    return NodeRow(f"id-{name}", False, name, membership, status, "Active", manager, "26.1.5")  # type: ignore[arg-type]


def nodes(*rows: NodeRow, stale: str = "") -> RunState:
    return run(NodeTable("a", 0.0, rows, stale), JobFinished("done", f"{len(rows)} nodes"), command=ListNodes())


def hosts(*errors: str) -> RunState:
    rows = tuple(HostRow(f"h{n}", "generic", "Running", "", "", "", "", error) for n, error in enumerate(errors))
    return run(HostTable(rows), JobFinished("done", "x"), command=ListHosts())


def plan_run(*findings: Finding) -> RunState:
    outcome = JobFinished("done", "3 steps planned. Nothing was changed.")
    return run(Planned(STEPS, findings), outcome, command=PlanHost("tondi"))


def doctor(*findings: Finding) -> RunState:
    return run(ChecksCompleted(findings), JobFinished("done", "x"), command=RunDoctor())


def failed(outcome: Outcome, *bodies: EventBody, summary: str = "apt-get failed on tondi. It was sad") -> RunState:
    return run(*bodies, JobFinished(outcome, summary))


LEADER, B, C = node("a", manager="Leader"), node("b", manager="Reachable"), node("c", manager="Reachable")
FIVE = [node(f"w{n}") for n in range(5)]
HEADLINES: list[tuple[RunState, str]] = [
    (nodes(LEADER, B, C, *FIVE), "✅ *8 nodes, all Ready; 3 managers (survives the loss of 1)*"),
    (nodes(LEADER), "✅ *1 node, all Ready; 1 manager (survives no loss)*"),
    (nodes(LEADER, B), "✅ *2 nodes, all Ready; 2 managers (survives no loss)*"),
    (nodes(LEADER, node("p", pending=True)), "✅ *p is Pending; 2 nodes, all Ready; 1 manager (survives no loss)*"),
    (nodes(LEADER, node("miltitz", "Down")), "⚠️ *miltitz is Down; 2 nodes, 1 manager (survives no loss)*"),
    (
        nodes(LEADER, B, node("c", "Down", "Unreachable")),
        "⚠️ *c is Down; 3 nodes, 3 managers (survives no loss)*",
    ),
    (
        nodes(LEADER, node("b", "Down", "Unreachable"), node("c", manager="Unreachable")),
        "⚠️ *b is Down; c is Unreachable; 3 nodes, 3 managers (no quorum)*",
    ),
    (
        nodes(LEADER, *(node(f"w{n}", "Down") for n in range(4))),
        "⚠️ *4 of 5 nodes are Down; 5 nodes, 1 manager (survives no loss)*",
    ),
    (nodes(LEADER, stale="no answer"), "⚠️ *No manager answers: last known table, 1 node*"),
    (hosts("", ""), "✅ *2 hosts, all reachable*"),
    (hosts("", "no answer"), "⚠️ *h1 is unreachable; 2 hosts*"),
    (hosts("no", "no"), "⚠️ *h0 and h1 are unreachable; 2 hosts*"),
    (plan_run(PASS), "✅ *Plan for tondi: 3 steps*"),
    (plan_run(WARN, WARN), "✅ *Plan for tondi: 3 steps, 2 warnings*"),
    (plan_run(WARN, BLOCK), "⛔ *Plan for tondi: 1 finding to fix first*"),
    (doctor(PASS, PASS), "✅ *Doctor: 2 checks passed*"),
    (doctor(PASS, WARN), "⚠️ *Doctor: 1 warning, 1 passed*"),
    (doctor(BLOCK, WARN), "❌ *Doctor: 1 failed, 1 warning, 0 passed*"),
    (run(*WHOLE, JobFinished("done", "tondi joined the swarm.")), "✅ *tondi joined the swarm in 3 s*"),
    (run(JobFinished("done", "tondi is in the swarm.")), "✅ *tondi is in the swarm*"),
    (
        run(JobFinished("done", "tondi is a manager now. 3 managers (survives the loss of 1)."), command=Accept("abc")),
        "✅ *tondi is a manager now*",
    ),
    (run(JobFinished("done", "Removed consul from lausen. Kept"), command=RetireStore("lausen")),
     "✅ *Removed consul from lausen*"),
    (run(JobFinished("unchanged", "nothing to do on tondi")), "✅ *Migrate tondi*  nothing to do"),
    (failed("failed", *HALF, StepFailed("s2", "no")), "❌ *“Upgrade the Engine” failed on tondi*"),
    (
        failed("rolled_back", *HALF, StepFailed("s2", "no")),
        "❌ *“Upgrade the Engine” failed on tondi; rolled back, the old Engine runs*",
    ),
    (failed("rolled_back"), "❌ *Migrate tondi failed; rolled back, the old Engine runs*"),
    (failed("failed"), "❌ *Migrate tondi failed: apt-get failed on tondi*"),
    (failed("failed", summary="x" * 200), "❌ *Migrate tondi failed*"),
    (failed("refused", summary="the disk is full"), "🚫 *Migrate tondi rejected: the disk is full*"),
    (failed("cancelled", summary="cancelled"), "🚫 *Migrate tondi*  cancelled"),
    (run(rq="queued"), "⏳ *Migrate tondi*  queued"),
    (run(*HALF[:2], rq="running"), "🐝 *Migrating tondi*: inspecting the host"),
    (run(*HALF[:4], rq="running"), "🐝 *Migrating tondi*: 1 of 3 steps done"),
    (run(*HALF, rq="running", now=9.0), "🐝 *Migrating tondi*: step 2 of 3, Upgrade the Engine"),
    (run(*HALF, rq="running", now=17.0), "🐝 *Migrating tondi*: step 2 of 3, Upgrade the Engine, 10 s"),
    (run(*HALF, rq="running", now=205.0), "🐝 *Migrating tondi*: step 2 of 3, Upgrade the Engine, 3 min 0 s"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "expected"), HEADLINES, ids=[expected for _, expected in HEADLINES])
def test_headline(state: RunState, expected: str) -> None:
    assert headline(state) == expected
    message = run_message.render(state)
    assert find_problems(list(message.blocks)) == []
    assert message.text.startswith(headline_text(state))


def test_what_the_headline_leaves_out_is_shown_below_it() -> None:
    for state, _ in HEADLINES:
        if state.outcome and state.table is None and not isinstance(state.record.command, RunDoctor):
            text = f"{headline(state)} {run_message.render(state).text}"
            assert all(part.strip(".") in text for part in state.outcome.summary.split(". "))
            assert rest_of_summary(state, state.outcome) in state.outcome.summary


@pytest.mark.parametrize(("minutes", "most"), [(1, 6), (5, 14), (30, 39)])
def test_the_elapsed_time_costs_few_edits(minutes: int, most: int) -> None:
    """Each new text is an edit. A step that runs for half an hour costs less than 40 of them."""
    texts: Sequence[str] = [headline(run(*HALF, rq="running", now=5.0 + second)) for second in range(minutes * 60)]
    assert len(set(texts)) <= most
    assert all(len({*texts[first : first + 10]}) <= 2 for first in range(len(texts))), "one new text in 10 s"


def test_escapes_what_a_host_says() -> None:
    state = failed("failed", summary="<!channel> *failed*")
    assert "<!channel>" not in headline(state) + headline_text(state)


def test_commands_in_the_headline_copy_exactly_and_are_never_cut() -> None:
    code = "`docker swarm unlock -q && ls *_x`"
    state = run(JobStarted("tondi"), JobFinished("refused", f"tondi is locked: run {code} there"))
    assert code.replace("&", "&amp;") in headline(state)
    assert code.replace("&", "&amp;") in headline_text(state)
    cut = run(JobStarted("tondi"), JobFinished("refused", f"{'x' * 120} `{'y' * 300}`"))
    assert "`" not in headline(cut)
