"""Format the alerts: of each question, when it is open and closed in each way, and of each outcome."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from bot.messages import alert
from bot.messages.block_kit import Message
from bot.messages.links import add_references
from bot.records import Decision, RunRecord
from bot.state.alerts import QuestionSource, QuestionState
from bot.state.run_state import RunState
from imker.clock import Timestamp
from imker.protocol.commands import Migrate
from imker.protocol.events import DecisionRequested, Question
from tests.golden.text_layout import message, page, section
from tests.support.fleet_states import ALICE, AT, BOB, build_fleet, host_plan, host_run

HOSTS = ("kaditz", "tondi")
LINKS = {run: f"https://imker.slack.com/archives/C01OPS/{run}" for run in ("run-tondi", "run-kaditz", "f7wq2p8a")}
RECIPIENTS = ("S01OPS", BOB)


def alerts() -> str:
    questions = [section(f"{kind}, open", _text(_alert(kind, [_question(kind)]))) for kind in get_args(Question)]
    return page(*questions, *_closed(), *_several(), *_ends())


def _closed() -> list[str]:
    waiting = _question("accept")
    assert waiting.state
    answers = {
        "accepted": [Decision(1, "accept", BOB, AT)],
        "accepted by two": [Decision(1, "accept", BOB, AT), Decision(1, "accept", "U03CAROL", AT + 60)],
        "rejected": [Decision(1, "reject", BOB, AT)],
        "cancelled by Imker": [Decision(1, "cancel", "", AT, why="the user no longer has permission")],
        "renewed": [Decision(1, "again", ALICE, AT)],
    }
    closed = {
        **{title: replace(waiting.state, decisions=tuple(decisions)) for title, decisions in answers.items()},
        "expired": replace(waiting.state, expired=True),
        "lost": None,
    }
    return [
        section(f"accept, {title}", _text(_alert("accept", [QuestionState(waiting.source, state)])))
        for title, state in closed.items()
    ]


def _several() -> list[str]:
    first, second = _question("accept", "tondi"), _question("accept", "kaditz")
    assert first.state
    decided = QuestionState(first.source, replace(first.state, decisions=(Decision(1, "accept", BOB, AT),)))
    needs_two = _question("accept", approvals=2)
    return [
        section("accept, reminder", _text(_alert("accept", [first], reminder=True))),
        section("accept, no one is mentioned", _text(alert.question_alert("accept", [first], (), LINKS))),
        section("accept, without a link", _text(alert.question_alert("accept", [first], RECIPIENTS, {}))),
        section("accept, two approvals", _text(_alert("accept", [needs_two]))),
        section("accept, two hosts", _text(_alert("accept", [first, second]))),
        section("accept, two hosts, one answered", _text(_alert("accept", [decided, second]))),
        section("accept, two hosts, both answered", _text(_alert("accept", [decided, decided]))),
        section("accept, many hosts", _text(_alert("accept", [first] * 12))),
        section("accept, Redis was wiped", _text(alert.lost_alert({"run": "k3fm7x2q"}))),
    ]


def _ends() -> list[str]:
    fleet = build_fleet([(host_plan("tondi", "manager"), "failed"), (host_plan("kaditz"), "pending")])
    ended = [(word, host_run("tondi", word)) for word in ("done", "failed", "restored", "refused", "cancelled", "lost")]  # type: ignore[arg-type]
    runs = [section(f"end: {word}", _text(_end(state))) for word, state in ended]
    return [*runs, section("end of a fleet", _text(alert.end_alert(fleet.run, fleet, LINKS)))]


def _end(state: RunState) -> Message:
    return add_references(alert.end_alert(state, None, LINKS), {}, HOSTS)


def _alert(kind: Question, states: Sequence[QuestionState], reminder: bool = False) -> Message:
    return alert.question_alert(kind, states, RECIPIENTS, LINKS, reminder=reminder)


def _question(kind: Question, host: str = "tondi", approvals: int = 1) -> QuestionState:
    asked_at = Timestamp(AT, "boot", 1.0) if kind == "accept" else None
    question = DecisionRequested(
        kind, "f00d", host=host, required_approvals=approvals, asked_at=asked_at, valid_seconds=1800.0
    )
    record = RunRecord(f"run-{host}", Migrate(host), f"migrate {host}", ALICE, "C01OPS", AT)
    if approvals > 1:
        record = replace(record, partial_approvals=(Decision(1, "accept", BOB, AT),))
    source = QuestionSource(record.run, 1, "" if kind == "start_fleet" else host)
    return QuestionState(source, RunState(record, "waiting", AT + 60, question=question))


def _text(rendered: Message) -> str:
    return message(rendered.text, rendered.blocks)
