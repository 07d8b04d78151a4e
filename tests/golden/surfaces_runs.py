"""Format the message of a run in every state, for one host and for a fleet, with its thread and report file."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from bot.messages.block_kit import Message
from bot.messages.runs.run_message import render, run_lost_message, thread_detail
from bot.reconciler import audit_checkpoints
from bot.reconciler.publisher import metadata_of
from bot.records import DAY, Choice, Decision, QueueStatus, RunRecord
from bot.state.run_state import fold
from imker.clock import Timestamp
from imker.hash_chain import Head
from imker.protocol.commands import (
    Accept,
    Command,
    ListHosts,
    ListNodes,
    Migrate,
    MigrateAll,
    PlanHost,
    Reject,
    RetireStore,
    RunDoctor,
    StartContainers,
)
from imker.protocol.event_log import EventLog, UnreadableEvent
from imker.protocol.events import (
    ChecksCompleted,
    DecisionRequested,
    Event,
    EventBody,
    HostTable,
    JobFinished,
    JobStarted,
    NodeTable,
    Outcome,
    Planned,
    Question,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
    ThreadDetail,
)
from imker.protocol.values import Candidate, Finding, HostRow, NodeRow, Quorum, StepLine
from tests.golden.text_layout import message, page, section
from tests.support.fleet_states import WARNING

AT = 1_795_440_000.0
LATER = Timestamp(AT + 60, "boot", 160.0)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", AT)
STEPS = (
    StepLine("a", "The first step", "its detail"),
    StepLine("b", "The second step"),
    StepLine("c", "The third step"),
)
BLOCK = Finding("clock", "block", "over 2 h behind ours", "Set it right.")
PASS = Finding("apt lock", "pass", "free")
NOTE = Finding("docker group", "pass", "geschke is not in it", "Let Imker add it.")
BEGUN: tuple[EventBody, ...] = (JobStarted("kaditz"), Planned(STEPS))
HALF: tuple[EventBody, ...] = (*BEGUN, StepStarted("a"), StepDone("a", "its outcome"), StepStarted("b"))
WHOLE: tuple[EventBody, ...] = (*HALF, StepDone("b"), StepStarted("c"), StepDone("c"))
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "kaditz", "26.1.5")
ASKED = Timestamp(AT, "boot", 100.0)
PENDING = DecisionRequested(
    "accept", "f", CANDIDATE, Quorum(2, 0, 3, 1), host="kaditz", asked_at=ASKED, valid_seconds=1800.0
)
QUESTIONS: dict[Question, DecisionRequested] = {
    "accept": PENDING,
    "continue": DecisionRequested("continue", "f"),
    "start": DecisionRequested("start", "f", host="kaditz"),
    "start_fleet": DecisionRequested("start_fleet", "f"),
    "resume": DecisionRequested("resume", "f", summary="(the state of the host)", user="U02BOB"),
    "start_containers": DecisionRequested(
        "start_containers", "f", host="kaditz", names=("web", "batch"), summary="(what does not run)"
    ),
    "stop_store": DecisionRequested("stop_store", "f", host="kaditz", names=("consul",), summary="(what is unused)"),
    "remove_store": DecisionRequested(
        "remove_store", "f", host="kaditz", names=("consul",), summary="(what is stopped)"
    ),
}
COMMANDS: tuple[Command, ...] = (
    ListHosts(), ListNodes(), RunDoctor(), PlanHost("kaditz"), Migrate("kaditz"), MigrateAll(), Accept("j8xsy2yb802b"),
    Reject("j8xsy2yb802b"), StartContainers("kaditz", ("web",)), RetireStore("kaditz"),
)  # fmt: skip

NO_EVENTS = EventLog()
OTHER_VERSION = EventLog(unreadable=(UnreadableEvent(1, 3),))
UNSIGNED = EventLog(has_unsigned_entries=True)


def run_message(
    *bodies: EventBody,
    rq: QueueStatus = "finished",
    choices: Sequence[Choice] = (),
    record: RunRecord = RECORD,
    at: Timestamp = LATER,
    by: str = "U02BOB",
    log: EventLog = NO_EVENTS,
) -> Message:
    """Render the message of a run whose last job emitted `bodies`. Each of `choices` decides the next job."""
    decisions = tuple(Decision(job, verdict, by, AT + 40) for job, verdict in enumerate(choices, 1))
    events = [Event(record.run, record.job_count, number, AT + number, body) for number, body in enumerate(bodies, 1)]
    return render(fold(replace(record, decisions=decisions), replace(log, events=tuple(events)), rq, at.unix, at))


def messages(messages_by_title: dict[str, Message]) -> str:
    return page(*(section(title, message(item.text, item.blocks)) for title, item in messages_by_title.items()))


def run_states() -> str:
    assert set(QUESTIONS) == set(get_args(Question))
    return messages({**_open(), **_questions(), **_acceptances(), **_ends(), **_declined(), **_strange()})


def _open() -> dict[str, Message]:
    failed = (*HALF, StepProgress("b", "its note"))
    return {
        "queued": run_message(rq="queued"),
        "running, before the plan": run_message(JobStarted("kaditz"), rq="running"),
        "running, a step": run_message(*failed, rq="running"),
        "running, part of a fleet": run_message(*HALF, rq="running", record=replace(RECORD, parent_run="f7wq2p8a")),
        "running, 26 steps and 11 warnings": run_message(
            JobStarted(),
            Planned(tuple(StepLine(str(n), f"Step {n}") for n in range(26)), (WARNING,) * 11),
            rq="running",
        ),
    }


def _questions() -> dict[str, Message]:
    return {f"waiting: {name}": run_message(JobStarted("kaditz"), waiting) for name, waiting in QUESTIONS.items()}


def _acceptances() -> dict[str, Message]:
    refused = replace(PENDING, approval_problem="it is no longer as it was shown")
    self_approved = replace(RECORD, partial_approvals=(Decision(1, "accept", "U01ALICE", AT + 30),))
    late = Timestamp(AT + 4000, "boot", 4100.0)
    return {
        "waiting: accept, refused before": run_message(JobStarted(), refused),
        "waiting: accept, two people": run_message(JobStarted(), replace(PENDING, required_approvals=2)),
        "waiting: accept, one of two, the requester": run_message(
            JobStarted(), replace(PENDING, required_approvals=2), record=self_approved
        ),
        "waiting: accept, one manager, then two": run_message(
            JobStarted(), replace(PENDING, quorum=Quorum(1, 0, 2, 0))
        ),
        "waiting: accept, without a limit": run_message(JobStarted(), replace(PENDING, asked_at=None)),
        "waiting: accept, of an unknown node": run_message(JobStarted(), replace(PENDING, candidate=None)),
        "expired": run_message(JobStarted(), PENDING, at=late),
        "accepted by the requester": run_message(JobStarted(), rq="queued", choices=("accept",), by="U01ALICE"),
    }


def _ends() -> dict[str, Message]:
    outcomes: dict[Outcome, Message] = {
        "done": run_message(*WHOLE, JobFinished("done", "(the result)", hint="(the hint)")),
        "unchanged": run_message(JobStarted(), JobFinished("unchanged", "(the result)")),
        "refused": run_message(
            JobStarted(), Planned((), (BLOCK, WARNING)), JobFinished("refused", "(why)", "(the state)", "(the hint)")
        ),
        "failed": run_message(
            *HALF, StepFailed("b", "(why)"), JobFinished("failed", "(why)", "(the state)", "(the hint)")
        ),
        "rolled_back": run_message(*HALF, JobFinished("rolled_back", "(why)", "(the state)", "(the hint)")),
        "cancelled": run_message(*HALF, JobFinished("cancelled", "cancelled", user="U02BOB")),
    }
    assert set(outcomes) == set(get_args(Outcome))
    more = {
        "failed, without a state and a hint": run_message(*HALF, JobFinished("failed", "(why)")),
        "failed before any step": run_message(JobStarted(), JobFinished("failed", "(why)")),
        "failed, part of a fleet": run_message(
            *HALF, JobFinished("failed", "(why)"), record=replace(RECORD, parent_run="f7wq2p8a")
        ),
    }
    return {**outcomes, **more}


def _declined() -> dict[str, Message]:
    verdicts: dict[Question, Choice] = {"accept": "reject"}
    no = {f"{name}, answered no": run_message(JobStarted(), waiting, choices=(verdicts.get(name, "cancel"),))
          for name, waiting in QUESTIONS.items()}  # fmt: skip
    all_of = {
        f"decision: {verdict}": run_message(JobStarted(), rq="queued", choices=(verdict,))
        for verdict in get_args(Choice)
    }
    return {**no, **all_of}


def _strange() -> dict[str, Message]:
    gone = Timestamp(AT + 2 * DAY, "boot", 2 * DAY)
    return {
        "lost, in a step": run_message(*HALF, rq="lost"),
        "lost, before its first step": run_message(JobStarted("kaditz"), rq="lost"),
        "lost, never begun within a day": run_message(rq="lost", at=gone),
        "another protocol, running": run_message(*HALF, rq="running", log=OTHER_VERSION),
        "another protocol, over": run_message(*HALF, log=OTHER_VERSION),
        "unsigned events, running": run_message(*HALF, rq="running", log=UNSIGNED),
        "unsigned events, lost": run_message(rq="lost", log=UNSIGNED),
        "forgotten": run_lost_message(metadata_of(RECORD, is_final=True)),
    }


def command_messages() -> str:
    """Return the title of every command, and the messages with tables, a plan, or findings."""
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
    nodes_record = replace(RECORD, command=ListNodes(), command_text="nodes")
    stale = NodeTable("connewitz", AT - 300, nodes, "(why)")
    many = tuple(replace(nodes[1], id=f"{n:025}") for n in range(120))
    return {
        "nodes": run_message(
            JobStarted(), NodeTable("connewitz", AT, nodes), JobFinished("done", "2 nodes"), record=nodes_record
        ),
        "nodes, stale": run_message(JobStarted(), stale, JobFinished("done", "2 nodes"), record=nodes_record),
        "nodes, the first line of 120": _last_line(NodeTable("connewitz", AT, many)),
        "hosts": run_message(
            JobStarted(),
            HostTable(hosts),
            JobFinished("done", "2 hosts, 1 unreachable"),
            record=replace(RECORD, command=ListHosts(), command_text="hosts"),
        ),
    }


def _last_line(table: NodeTable) -> Message:
    """Return the message without its rows."""
    rendered = run_message(
        JobStarted(),
        table,
        JobFinished("done", "120 nodes"),
        record=replace(RECORD, command=ListNodes(), command_text="nodes"),
    )
    return Message("(as above)", tuple(block for block in rendered.blocks if block["type"] != "table"))


def _plans() -> dict[str, Message]:
    plan, doctor = (
        replace(RECORD, command=PlanHost("kaditz"), command_text="plan kaditz"),
        replace(RECORD, command=RunDoctor()),
    )
    matches = (PASS, NOTE, WARNING, BLOCK)
    return {
        "plan": run_message(
            JobStarted(), Planned(STEPS, matches, "- old\n+ new"), JobFinished("done", "(the result)"), record=plan
        ),
        "doctor": run_message(
            JobStarted(), ChecksCompleted(matches), JobFinished("done", "(the result)"), record=doctor
        ),
        "a reply in the thread": thread_detail(ThreadDetail("(its title)", "(its text)")),
        "a reply in the thread without text": thread_detail(ThreadDetail("(its title)", "")),
        "a checkpoint after an acceptance": audit_checkpoints.approval_text(Head(12, "f" * 64)),
        "a checkpoint of a day": audit_checkpoints.daily_text("2026-11-23", Head(12, "f" * 64)),
    }
