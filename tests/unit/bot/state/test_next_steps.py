"""Test the table of next steps: each state of a run has a row, and each step is a button and a command to type."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given

from bot.commands.model import UsageError
from bot.commands.parser import parse
from bot.messages.block_kit import Message
from bot.messages.next_steps import step_buttons, with_menu
from bot.messages.runs import fleet_message
from bot.records import Choice, Decision, QueueStatus, RunRecord
from bot.state.fleet_state import FleetState
from bot.state.next_step import NextStep
from bot.state.next_steps import SUGGESTIONS, TABLE, Situation, next_steps, situation
from bot.state.run_state import RunState, fold
from imker.clock import Timestamp
from imker.protocol.commands import Accept, Command, ListNodes, Migrate, MigrateAll, PlanHost, RetireStore
from imker.protocol.event_log import EventLog
from imker.protocol.events import (
    DecisionRequested,
    Event,
    EventBody,
    JobFinished,
    JobStarted,
    Outcome,
    Planned,
    Question,
)
from imker.protocol.next_command import NextCommand
from imker.protocol.service_commands import RestartService, ShowService
from imker.protocol.service_events import ServiceDetails, ServiceRow
from imker.protocol.values import Finding
from lab.slack.validate_message import find_problems
from tests.support.fleet_states import build_fleet, host_plan
from tests.unit.bot.state.test_fleet_state import any_fleet

RUN, LABELS = "k3fm9x2q", ("Accept", "Reject", "Start", "Continue")  # labels that stay as they are
NOW = Timestamp(1_795_440_000.0, "boot", 5000.0)
DANGER = ("Cancel", "Remove", "Stop", "Retire store", "Keep as worker")  # Reject opens a form, which confirms
MIGRATE = Migrate("kaditz")
SITUATIONS = tuple(name for part in get_args(Situation) for name in get_args(part) or (part,))
TODO = Finding("disk", "block", "full", "Make room.")


def run(
    *bodies: EventBody,
    command: Command = MIGRATE,
    rq: QueueStatus = "finished",
    choice: Choice | None = None,
    age: float = 60.0,
) -> RunState:
    decisions = (Decision(1, choice, "U02BOB", NOW.unix - age),) if choice else ()
    record = RunRecord(RUN, command, command.text, "U01ALICE", "C01OPS", NOW.unix - age, decisions=decisions)
    events = tuple(Event(RUN, 1, number, float(number), body) for number, body in enumerate(bodies, 1))
    return fold(record, EventLog(events), rq, NOW.unix, NOW)


def ended(outcome: Outcome, command: Command = MIGRATE) -> RunState:
    return run(JobStarted(), JobFinished(outcome, "it ended"), command=command)


def waiting_run(question: Question, choice: Choice | None = None, seconds: float = 0.0) -> RunState:
    at = replace(NOW, boot_seconds=NOW.boot_seconds - seconds)
    body = DecisionRequested(question, "f", host="kaditz", names=("web",), asked_at=at, valid_seconds=1800.0)
    return run(JobStarted(), body, choice=choice)


def service_details(status: str, mode: str = "replicated") -> RunState:
    details = ServiceDetails("tondi", 0.0, ServiceRow("shop_web", mode, 2, 2, "nginx:1.11", status=status))
    return run(JobStarted(), details, JobFinished("done", "shop_web"), command=ShowService("web"))


STATES: dict[str, tuple[RunState, Situation]] = {
    "queued": (run(rq="queued"), "running_change"),
    "running": (run(JobStarted(), rq="running"), "running_change"),
    "a read that runs": (run(JobStarted(), command=ListNodes(), rq="running"), "running_read"),
    "a fleet that is planned": (run(JobStarted(), command=MigrateAll(), rq="running"), "running_change"),
    **{name: (waiting_run(name), name) for name in get_args(Question)},
    "expired": (waiting_run("accept", seconds=1801), "expired"),
    "decided": (waiting_run("accept", choice="accept"), "decided"),
    "cancelled at the question": (waiting_run("continue", choice="cancel"), "stopped"),
    "containers stay stopped": (waiting_run("start_containers", choice="cancel"), "kept_stopped"),
    "store keeps running": (waiting_run("stop_store", choice="cancel"), "kept_store"),
    "store is kept": (waiting_run("remove_store", choice="cancel"), "kept_store"),
    "done": (ended("done"), "changed"),
    "nothing to do": (ended("unchanged"), "changed"),
    "failed": (ended("failed"), "stopped"),
    "rolled back": (ended("rolled_back"), "stopped"),
    "cancelled": (ended("cancelled"), "stopped"),
    "refused": (ended("refused"), "refused"),
    "planned": (ended("done", PlanHost("kaditz", "manager", docker_group=True)), "planned"),
    "planned, blocked": (
        run(JobStarted(), Planned((), (TODO,)), JobFinished("done", "x"), command=PlanHost("kaditz")),
        "blocked",
    ),
    "plan with nothing to do": (ended("unchanged", PlanHost("kaditz")), "read"),
    "read": (ended("done", ListNodes()), "read"),
    "read that failed": (ended("failed", ListNodes()), "read"),
    "service": (service_details("healthy"), "service"),
    "service with a stopped update": (service_details("paused"), "unhealthy_service"),
    "service that is unhealthy": (service_details("unhealthy"), "unhealthy_service"),
    "global service": (service_details("healthy", "global"), "global_service"),
    "job": (service_details("healthy", "replicated-job"), "read"),
    "service that was restarted": (ended("done", RestartService("web")), "service_changed"),
    "service that did not converge": (ended("failed", RestartService("web")), "stopped"),
    "lost": (run(JobStarted(), rq="lost"), "stopped"),
    "lost before it started": (run(rq="lost", age=2 * 24 * 3600.0), "never_started"),
}


def elements(message: Message) -> list[dict[str, Any]]:
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return [
        *(element for row in rows for element in row),
        *(b["accessory"] for b in message.blocks if "accessory" in b),
    ]


def labels(message: Message) -> list[str]:
    items = elements(message)
    options = [option for element in items for option in element.get("options", ())]
    return [each["text"]["text"] for each in (*options, *items) if "text" in each]


def assert_shows(message: Message, steps: tuple[NextStep, ...]) -> None:
    assert find_problems(list(message.blocks)) == []
    assert sorted(labels(message)) == sorted(step.label for step in steps)
    for step in steps:
        assert f"/swarm {step.command}" in message.text if step.command else step.label in message.text


def test_the_table_has_a_row_for_each_situation() -> None:
    assert set(TABLE) == set(SITUATIONS)
    assert all(TABLE.values())
    in_tests = {name for _, name in STATES.values()} | {"running_fleet", "paused_fleet", "open_fleet"}
    assert in_tests == set(SITUATIONS), "each row is tested below"


@pytest.mark.parametrize("name", STATES)
def test_each_state_has_its_next_step_as_a_button_and_as_text(name: str) -> None:
    state, expected = STATES[name]
    assert situation(state, None) == expected
    steps = next_steps(state, None)
    assert [step.name for step in steps] == [row.name for row in TABLE[expected]]
    assert_shows(fleet_message.render_any(state, None), steps)


@given(any_fleet())
def test_each_state_of_a_fleet_has_its_next_step(fleet: FleetState) -> None:
    steps = next_steps(fleet.run, fleet)
    assert steps
    assert_shows(fleet_message.render(fleet), steps)


@pytest.mark.parametrize(
    ("words", "hold", "expected"),
    [
        (("running", "pending"), "", "running_fleet"),
        (("running", "pending"), "cancel", "open_fleet"),
        (("running", "pending"), "pause", "paused_fleet"),
        (("resume", "pending"), "pause", "paused_fleet"),
        (("accept", "done"), "", "open_fleet"),
        (("done", "failed"), "", "stopped"),
        (("done", "done"), "", "changed"),
    ],
)
def test_situation_of_a_fleet(words: tuple[Any, ...], hold: str, expected: Situation) -> None:
    fleet = build_fleet([(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(words)], hold=hold)
    assert situation(fleet.run, fleet) == expected


@pytest.mark.parametrize("name", STATES)
def test_what_a_step_says_can_be_typed(name: str) -> None:
    for step in next_steps(STATES[name][0], None):
        assert step.command or step.choice == "start", "a fleet is started by its button only"
        assert not step.command or not isinstance(parse(step.command, hosts=("kaditz",)), UsageError)


def test_the_plans_step_repeats_its_options() -> None:
    (step,) = next_steps(STATES["planned"][0], None)
    assert parse(step.command) == Migrate("kaditz", "manager", docker_group=True)


@pytest.mark.parametrize("step", [step for steps in TABLE.values() for step in steps], ids=lambda step: step.name)
def test_steps_that_stop_or_remove_something_ask_first(step: NextStep) -> None:
    assert bool(step.confirm) >= (step.label in DANGER)
    assert not step.choice or step.choice != "accept" or step.label == "Accept"


@pytest.mark.parametrize(
    ("name", "mark", "decided"),
    [
        ("containers stay stopped", "⚠️", "Kept stopped by"),
        ("store keeps running", "✅", "Kept running by"),
        ("store is kept", "✅", "Kept by"),
        ("cancelled at the question", "🚫", "Cancelled by"),
    ],
)
def test_who_keeps_something_after_a_migration_does_not_cancel_it(name: str, mark: str, decided: str) -> None:
    message = fleet_message.render_any(STATES[name][0], None)
    assert message.text.startswith(mark)
    assert f"\n{decided} <@U02BOB> at" in message.text


@pytest.mark.parametrize("situation", ["running_change", "running_fleet", "paused_fleet"])
def test_details_of_a_running_run_ask_nothing_and_cancel_asks(situation: Situation) -> None:
    state = run(JobStarted(), rq="running")
    in_menu = {step.name for step in TABLE[situation] if step.in_menu}
    assert "details" in in_menu
    assert "cancel_run" not in in_menu
    assert "confirm" not in with_menu({}, state.record, TABLE[situation])["accessory"]
    (row,) = step_buttons(state.record, TABLE[situation])
    (cancel,) = (button for button in row["elements"] if button["text"]["text"] == "Cancel")
    assert (cancel["style"], cancel["confirm"]["deny"]["text"]) == ("danger", "Not now")


def test_a_menu_has_only_steps_that_need_no_confirmation() -> None:
    assert not [step.name for steps in TABLE.values() for step in steps if step.in_menu and step.confirm]


def test_fixed_labels_stay() -> None:
    answers = {step.label for steps in TABLE.values() for step in steps if step.choice}
    assert answers >= set(LABELS)


def test_screen_readers_hear_what_a_button_is_about() -> None:
    (row,) = (
        block for block in fleet_message.render_any(waiting_run("accept"), None).blocks if block["type"] == "actions"
    )
    assert [button["accessibility_label"] for button in row["elements"]] == [
        "Accept kaditz as manager",
        "Reject kaditz as manager",
    ]


def test_offers_what_an_outcome_suggests_and_nothing_twice() -> None:
    suggested = (
        Migrate("tondi", "manager"), Migrate("HOST"), Accept("j8xsy2yb802b"), ListNodes(), RetireStore("tondi"),
    )  # fmt: skip
    state = run(JobStarted(), JobFinished("failed", "no", next_commands=tuple(map(NextCommand, suggested))))
    steps = next_steps(state, None)
    assert [step.command for step in steps] == [
        f"retry {RUN}", "migrate tondi --manager", "accept j8xsy2yb802b", "nodes", "retire tondi",
    ]  # fmt: skip
    assert len({step.name for step in steps}) == len(steps)


def test_a_hosts_run_tries_its_fleet_again() -> None:
    state = ended("failed")
    (step,) = next_steps(replace(state, record=replace(state.record, parent_run="f7wq2p8a")), None)
    assert step.command == "retry f7wq2p8a"


def test_names_of_suggestions_are_unique() -> None:
    assert len({step.name for step in SUGGESTIONS.values()}) == len(SUGGESTIONS)
