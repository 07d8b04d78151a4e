"""Format the message of a fleet in every state, and the report file."""

from collections.abc import Iterable
from dataclasses import replace

from bot.messages.block_kit import Message
from bot.messages.runs import fleet_message
from bot.messages.runs.fleet_report import render_report
from bot.records import DAY, Decision
from bot.state.fleet_state import FleetState
from imker.protocol.commands import MigrateAll
from imker.protocol.events import ContainerSnapshot, JobStarted
from imker.protocol.values import Finding
from tests.golden.surfaces_runs import AT, BLOCK, RECORD, messages, run_message
from tests.golden.text_layout import page
from tests.support.fleet_states import ALL, WARNING, WEB, Word, build_fleet, host_plan


def _fleet_of(*words: Word, **how: object) -> FleetState:
    """Build a fleet with one host in each of these states."""
    roles = [
        (host_plan(f"h{number}", "worker" if number else "manager", number), word) for number, word in enumerate(words)
    ]
    return build_fleet(roles, **how)  # type: ignore[arg-type]


def fleet_states() -> str:
    managers = Finding("managers", "warn", "2 managers: an even number", "Give one host less.")
    host_plans = [
        (host_plan("connewitz", "manager"), "pending"),
        (host_plan("tondi", "worker", 1, WARNING, BLOCK), "pending"),
    ]
    downloading = replace(host_plan("tondi"), packages=("docker.io=26.1.5", "docker-cli=26.1.5"))
    views = {
        "planned": build_fleet(host_plans, started=False, result=("kaditz",), findings=(managers,)),  # type: ignore[arg-type]
        "planned, with downloads": build_fleet([(downloading, "pending")] * 2, started=False),
        "every state of a host": _fleet_of(*ALL),
        "running": _fleet_of("done", "running", "pending"),
        "a host has a question": _fleet_of("done", "continue", "pending"),
        "paused": _fleet_of("done", "resume", "pending", hold="pause"),
        "resumed": _fleet_of("done", "running", "pending", hold="resume"),
        "cancelled": _fleet_of("done", "cancelled", "pending", hold="cancel"),
        "cancelled before the next host": _fleet_of("done", "pending", hold="cancel"),
        "all moved, managers pending": _fleet_of("accept", "done"),
        "done": _fleet_of("done", "done", "nothing"),
        "done, one rejected": _fleet_of("done", "rejected", "removed"),
        "failed": _fleet_of("done", "failed", "pending"),
        "failed, one pending": _fleet_of("accept", "failed", "pending"),
        "lost": _fleet_of("done", "lost", "pending"),
        "declined": _fleet_of("done", "declined", "pending"),
        "started a week ago": _aged(_fleet_of("done", "pending")),
    }
    messages_by_title = {title: fleet_message.render(view) for title, view in views.items()}
    return messages({**messages_by_title, **_before_start()})


def _aged(view: FleetState) -> FleetState:
    return replace(view, run=replace(view.run, now=AT + 8 * DAY))


def _before_start() -> dict[str, Message]:
    record = replace(RECORD, command=MigrateAll(), command_text="migrate all")
    fleet_state = build_fleet([(host_plan("connewitz", "manager"), "pending")], started=False)
    cancelled_run = replace(
        fleet_state.run, record=replace(fleet_state.run.record, decisions=(Decision(1, "cancel", "U02BOB", AT + 40),))
    )
    return {
        "planning": run_message(JobStarted(), rq="running", record=record),
        "cancelled before the start": fleet_message.render(
            replace(
                fleet_state, run=replace(cancelled_run, status="finished", decisions=cancelled_run.record.decisions)
            )
        ),
        "many hosts": _without_rows(
            [(host_plan(f"host-{number:03}", "worker", number), "pending") for number in range(110)]
        ),
    }


def _without_rows(legs: Iterable[tuple[object, Word]]) -> Message:
    rendered = fleet_message.render(build_fleet(list(legs), started=False))  # type: ignore[arg-type]
    text = "\n".join(line for line in rendered.text.splitlines() if "host-" not in line)
    return Message(text, tuple(block for block in rendered.blocks if block["type"] != "table"))


def fleet_report() -> str:
    hosts = (
        (host_plan("a", "manager"), "done"),
        (host_plan("b", "worker", 1), "failed"),
        (host_plan("c", "worker", 2), "pending"),
    )
    failed = build_fleet(hosts, result=("kaditz",))
    stopped = ContainerSnapshot("after", "x", "26.1.5", (replace(WEB, running=False),))
    down = _fleet_of("done")
    run = down.hosts[0].run
    assert run is not None
    down = replace(
        down, hosts=(replace(down.hosts[0], run=replace(run, container_snapshots=(*run.container_snapshots, stopped))),)
    )
    return page(render_report(failed), render_report(_fleet_of("running", "containers")), render_report(down))
