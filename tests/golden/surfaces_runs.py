"""A run's message in every state, of one host and of a fleet, its thread, and the report file. Text per surface."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from bot import blocks, witness
from bot.kit import Message
from bot.messages import mark
from bot.progress import fold
from bot.record import DAY, Decision, JobState, RunRecord, Verdict
from imker.chain import Head
from imker.moment import Moment
from jobs.contract import (
    Accept,
    Began,
    Body,
    Candidate,
    Command,
    Detail,
    Doctor,
    Ended,
    Event,
    Examined,
    Finding,
    HostRow,
    Hosts,
    HostTable,
    Migrate,
    MigrateAll,
    NodeRow,
    Nodes,
    NodeTable,
    PlanHost,
    Planned,
    Quorum,
    Reject,
    RetireStore,
    StartContainers,
    StepDone,
    StepFailed,
    StepLine,
    StepNote,
    StepStarted,
    Unread,
    Unsealed,
    Waiting,
)
from jobs.contract.told import Outcome, Question
from tests.bot.fleets import WARNING
from tests.golden.page import message, page, section

AT = 1_795_440_000.0
LATER = Moment(AT + 60, "boot", 160.0)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", AT)
STEPS = (
    StepLine("a", "The first step", "its detail"),
    StepLine("b", "The second step"),
    StepLine("c", "The third step"),
)
BLOCK = Finding("clock", "block", "over 2 h behind ours", "Set it right.")
PASS = Finding("apt lock", "pass", "free")
NOTE = Finding("docker group", "pass", "geschke is not in it", "Let Imker add it.")
BEGUN: tuple[Body, ...] = (Began("kaditz"), Planned(STEPS))
HALF: tuple[Body, ...] = (*BEGUN, StepStarted("a"), StepDone("a", "its outcome"), StepStarted("b"))
WHOLE: tuple[Body, ...] = (*HALF, StepDone("b"), StepStarted("c"), StepDone("c"))
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "kaditz", "26.1.5")
ASKED = Moment(AT, "boot", 100.0)
PENDING = Waiting("accept", "f", CANDIDATE, Quorum(2, 0, 3, 1), host="kaditz", asked=ASKED, seconds=1800.0)
QUESTIONS: dict[Question, Waiting] = {
    "accept": PENDING,
    "continue": Waiting("continue", "f"),
    "start": Waiting("start", "f"),
    "resume": Waiting("resume", "f", summary="(the state of the host)", by="U02BOB"),
    "containers": Waiting("containers", "f", host="kaditz", names=("web", "batch"), summary="(what does not run)"),
    "stop": Waiting("stop", "f", host="kaditz", names=("consul",), summary="(what is unused)"),
    "store": Waiting("store", "f", host="kaditz", names=("consul",), summary="(what is stopped)"),
}
COMMANDS: tuple[Command, ...] = (
    Hosts(), Nodes(), Doctor(), PlanHost("kaditz"), Migrate("kaditz"), MigrateAll(), Accept("j8xsy2yb802b"),
    Reject("j8xsy2yb802b"), StartContainers("kaditz", ("web",)), RetireStore("kaditz"),
)  # fmt: skip


def run_message(
    *bodies: Body,
    rq: JobState = "over",
    said: Sequence[Verdict] = (),
    record: RunRecord = RECORD,
    at: Moment = LATER,
    by: str = "U02BOB",
) -> Message:
    """The message of a run whose last job told `bodies`; `said` are the decisions, each on the next job."""
    decisions = tuple(Decision(job, verdict, by, AT + 40) for job, verdict in enumerate(said, 1))
    events = [Event(record.run, record.jobs, number, AT + number, body) for number, body in enumerate(bodies, 1)]
    return blocks.render(fold(replace(record, decisions=decisions), events, rq, at.wall, at))


def messages(shown: dict[str, Message]) -> str:
    return page(*(section(title, message(one.text, one.blocks)) for title, one in shown.items()))


def run_states() -> str:
    assert set(QUESTIONS) == set(get_args(Question))
    return messages({**_open(), **_questions(), **_acceptances(), **_ends(), **_declined(), **_strange()})


def _open() -> dict[str, Message]:
    failed = (*HALF, StepNote("b", "its note"))
    return {
        "queued": run_message(rq="queued"),
        "running, before the plan": run_message(Began("kaditz"), rq="running"),
        "running, a step": run_message(*failed, rq="running"),
        "running, part of a fleet": run_message(*HALF, rq="running", record=replace(RECORD, part_of="f7wq2p8a")),
        "running, 26 steps and 11 warnings": run_message(
            Began(), Planned(tuple(StepLine(str(n), f"Step {n}") for n in range(26)), (WARNING,) * 11), rq="running"
        ),
    }


def _questions() -> dict[str, Message]:
    return {f"waiting: {name}": run_message(Began("kaditz"), waiting) for name, waiting in QUESTIONS.items()}


def _acceptances() -> dict[str, Message]:
    refused = replace(PENDING, refused="it is no longer as it was shown")
    own = replace(RECORD, votes=(Decision(1, "accept", "U01ALICE", AT + 30),))
    late = Moment(AT + 4000, "boot", 4100.0)
    return {
        "waiting: accept, refused before": run_message(Began(), refused),
        "waiting: accept, two people": run_message(Began(), replace(PENDING, needed=2)),
        "waiting: accept, one of two, the requester": run_message(Began(), replace(PENDING, needed=2), record=own),
        "waiting: accept, one manager, then two": run_message(Began(), replace(PENDING, quorum=Quorum(1, 0, 2, 0))),
        "waiting: accept, without a limit": run_message(Began(), replace(PENDING, asked=None)),
        "waiting: accept, of an unknown node": run_message(Began(), replace(PENDING, candidate=None)),
        "expired": run_message(Began(), PENDING, at=late),
        "accepted by the requester": run_message(Began(), rq="queued", said=("accept",), by="U01ALICE"),
    }


def _ends() -> dict[str, Message]:
    outcomes: dict[Outcome, Message] = {
        "done": run_message(*WHOLE, Ended("done", "(the result)", hint="(the hint)")),
        "nothing": run_message(Began(), Ended("nothing", "(the result)")),
        "refused": run_message(
            Began(), Planned((), (BLOCK, WARNING)), Ended("refused", "(why)", "(the state)", "(the hint)")
        ),
        "failed": run_message(*HALF, StepFailed("b", "(why)"), Ended("failed", "(why)", "(the state)", "(the hint)")),
        "restored": run_message(*HALF, Ended("restored", "(why)", "(the state)", "(the hint)")),
        "cancelled": run_message(*HALF, Ended("cancelled", "cancelled", by="U02BOB")),
    }
    assert set(outcomes) == set(get_args(Outcome))
    more = {
        "failed, without a state and a hint": run_message(*HALF, Ended("failed", "(why)")),
        "failed before any step": run_message(Began(), Ended("failed", "(why)")),
        "failed, part of a fleet": run_message(
            *HALF, Ended("failed", "(why)"), record=replace(RECORD, part_of="f7wq2p8a")
        ),
    }
    return {**outcomes, **more}


def _declined() -> dict[str, Message]:
    verdicts: dict[Question, Verdict] = {"accept": "reject"}
    no = {f"{name}, answered no": run_message(Began(), waiting, said=(verdicts.get(name, "cancel"),))
          for name, waiting in QUESTIONS.items()}  # fmt: skip
    all_of = {
        f"decision: {verdict}": run_message(Began(), rq="queued", said=(verdict,)) for verdict in get_args(Verdict)
    }
    return {**no, **all_of}


def _strange() -> dict[str, Message]:
    gone = Moment(AT + 2 * DAY, "boot", 2 * DAY)
    return {
        "lost, in a step": run_message(*HALF, rq="lost"),
        "lost, before its first step": run_message(Began("kaditz"), rq="lost"),
        "lost, never begun within a day": run_message(rq="lost", at=gone),
        "another protocol, running": run_message(*HALF, Unread(2), rq="running"),
        "another protocol, over": run_message(*HALF, Unread(2)),
        "unsigned events, running": run_message(*HALF, Unsealed(), rq="running"),
        "unsigned events, lost": run_message(Unsealed(), rq="lost"),
        "forgotten": blocks.forgotten(mark(RECORD, over=True)),
    }


def command_messages() -> str:
    """Every command's title, and the messages that show tables, a plan or findings."""
    titles = {
        f"title: {command.type}": run_message(rq="queued", record=replace(RECORD, command=command))
        for command in COMMANDS
    }
    titles["title: reject, remove"] = run_message(
        rq="queued", record=replace(RECORD, command=Reject("j8xsy2yb802b", True))
    )
    return messages({**titles, **_tables(), **_plans()})


def _tables() -> dict[str, Message]:
    nodes = (
        NodeRow("j8xsy2yb802b5ys0uvwhsouw1", True, "connewitz", "Accepted", "Ready", "Active", "Leader", "26.1.5"),
        NodeRow("k8xsy2yb802b5ys0uvwhsouw2", False, "kaditz", "Pending", "Down", "Drain", "", "26.1.5"),
    )
    hosts = (
        HostRow("kaditz", "generic", "Running", "tcp://198.18.0.39:2376", "lausen", "v20.10.24", ""),
        HostRow("tondi", "generic", "Unknown", "tcp://198.18.0.73:2376", "", "Unknown", "", "(why)"),
    )
    asked = replace(RECORD, command=Nodes(), text="nodes")
    stale = NodeTable("connewitz", AT - 300, nodes, "(why)")
    many = tuple(replace(nodes[1], id=f"{n:025}") for n in range(120))
    return {
        "nodes": run_message(Began(), NodeTable("connewitz", AT, nodes), Ended("done", "2 nodes"), record=asked),
        "nodes, stale": run_message(Began(), stale, Ended("done", "2 nodes"), record=asked),
        "nodes, the first line of 120": _last_line(NodeTable("connewitz", AT, many)),
        "hosts": run_message(
            Began(),
            HostTable(hosts),
            Ended("done", "2 hosts, 1 without an answer"),
            record=replace(RECORD, command=Hosts(), text="hosts"),
        ),
    }


def _last_line(table: NodeTable) -> Message:
    """Without its rows."""
    made = run_message(
        Began(), table, Ended("done", "120 nodes"), record=replace(RECORD, command=Nodes(), text="nodes")
    )
    return Message("(as above)", tuple(block for block in made.blocks if block["type"] != "table"))


def _plans() -> dict[str, Message]:
    plan, doctor = replace(RECORD, command=PlanHost("kaditz"), text="plan kaditz"), replace(RECORD, command=Doctor())
    found = (PASS, NOTE, WARNING, BLOCK)
    return {
        "plan": run_message(Began(), Planned(STEPS, found, "- old\n+ new"), Ended("done", "(the result)"), record=plan),
        "doctor": run_message(Began(), Examined(found), Ended("done", "(the result)"), record=doctor),
        "a reply in the thread": blocks.detail(Detail("(its title)", "(its text)")),
        "a reply in the thread without text": blocks.detail(Detail("(its title)", "")),
        "a checkpoint after an acceptance": witness.after_acceptance(Head(12, "f" * 64)),
        "a checkpoint of a day": witness.day_over("2026-11-23", Head(12, "f" * 64)),
    }
