"""A fleet's message in every state, and the report file. Text per surface."""

from collections.abc import Iterable
from dataclasses import replace

from bot import fleet_blocks
from bot.fleet import FleetView
from bot.kit import Message
from bot.record import DAY, Decision
from bot.report import report
from jobs.contract import (
    Began,
    Census,
    Finding,
    MigrateAll,
)
from tests.bot.fleets import ALL, WARNING, WEB, Word, fleet, leg
from tests.golden.page import page
from tests.golden.surfaces_runs import AT, BLOCK, RECORD, messages, run_message


def _whole(*words: Word, **how: object) -> FleetView:
    """A fleet with a host in each of these states."""
    roles = [(leg(f"h{number}", "worker" if number else "manager", number), word) for number, word in enumerate(words)]
    return fleet(roles, **how)  # type: ignore[arg-type]


def fleet_states() -> str:
    managers = Finding("managers", "warn", "2 managers: an even number", "Give one host less.")
    planned = [(leg("connewitz", "manager"), "ahead"), (leg("tondi", "worker", 1, WARNING, BLOCK), "ahead")]
    views = {
        "planned": fleet(planned, started=False, done=("kaditz",), findings=(managers,)),  # type: ignore[arg-type]
        "every state of a host": _whole(*ALL),
        "running": _whole("done", "going", "ahead"),
        "a host has a question": _whole("done", "continue", "ahead"),
        "paused": _whole("done", "resume", "ahead", hold="pause"),
        "resumed": _whole("done", "going", "ahead", hold="resume"),
        "cancelled": _whole("done", "cancelled", "ahead", hold="cancel"),
        "cancelled before the next host": _whole("done", "ahead", hold="cancel"),
        "all moved, managers pending": _whole("pending", "done"),
        "done": _whole("done", "done", "nothing"),
        "failed": _whole("done", "failed", "ahead"),
        "failed, one pending": _whole("pending", "failed", "ahead"),
        "lost": _whole("done", "lost", "ahead"),
        "declined": _whole("done", "declined", "ahead"),
        "started a week ago": _aged(_whole("done", "ahead")),
    }
    shown = {title: fleet_blocks.render(view) for title, view in views.items()}
    return messages({**shown, **_before_start()})


def _aged(view: FleetView) -> FleetView:
    return replace(view, view=replace(view.view, now=AT + 8 * DAY))


def _before_start() -> dict[str, Message]:
    record = replace(RECORD, command=MigrateAll(), text="migrate all")
    made = fleet([(leg("connewitz", "manager"), "ahead")], started=False)
    said = replace(made.view, record=replace(made.view.record, decisions=(Decision(1, "cancel", "U02BOB", AT + 40),)))
    return {
        "planning": run_message(Began(), rq="running", record=record),
        "cancelled before the start": fleet_blocks.render(
            replace(made, view=replace(said, state="over", decisions=said.record.decisions))
        ),
        "many hosts": _without_rows([(leg(f"host-{number:03}", "worker", number), "ahead") for number in range(110)]),
    }


def _without_rows(legs: Iterable[tuple[object, Word]]) -> Message:
    made = fleet_blocks.render(fleet(list(legs), started=False))  # type: ignore[arg-type]
    text = "\n".join(line for line in made.text.splitlines() if "host-" not in line)
    return Message(text, tuple(block for block in made.blocks if block["type"] != "table"))


def fleet_report() -> str:
    failed = fleet([(leg("a", "manager"), "done"), (leg("b", "worker", 1), "failed"), (leg("c", "worker", 2), "ahead")],
                   done=("kaditz",))  # fmt: skip
    stopped = Census("after", "x", "26.1.5", (replace(WEB, running=False),))
    down = _whole("done")
    run = down.legs[0].view
    assert run is not None
    down = replace(down, legs=(replace(down.legs[0], view=replace(run, censuses=(*run.censuses, stopped))),))
    return page(report(failed), report(_whole("going", "containers")), report(down))
