"""A private answer stays private: only its requester may show it, and only with the right to its command."""

import pytest
from redis import Redis

from bot.handlers.delivery import SHOW_STEP, Delivery
from bot.listeners import next_step_name
from bot.runs.posted_messages import SHOWN
from bot.state.next_steps import TABLE
from imker.protocol.events import JobFinished, JobStarted
from tests.support.bot_harness import IDS, LEI, OPS, BotHarness, parse_settings_file

CONFIG = """
[slack]
channels = ["C01OPS", "C04LEI"]
{reads}
[rights]
read = ["U01ALICE", "U02BOB", "U08DAVE"]
change = ["U01ALICE", "U08DAVE"]
"""


def harness(redis: Redis, reads: str = "") -> BotHarness:
    return BotHarness(redis, parse_settings_file(CONFIG.format(reads=reads)))


def press(bench: BotHarness, who: str, run: str, channel: str = OPS) -> str:
    """Click the button of a private answer and return the reply, "" for none."""
    bench.replies.clear()
    bench.delivery_count += 1
    delivery = Delivery("click", f"show-{bench.delivery_count}", IDS[who], channel, run, "", 0.0, step=SHOW_STEP)
    bench.handler.handle_show(delivery, bench._reply(who, channel, delivery.delivery_id, run))
    return "".join(message.text for message in bench.replies)


def is_shown(bench: BotHarness, run: str) -> bool:
    return SHOWN in bench.runs.posted_messages.get(run)


@pytest.mark.parametrize(
    ("reads", "command", "is_private"),
    [
        ("", "nodes", False),
        ("", "nodes --private", True),
        ('reads = "private"', "nodes", True),
        ('reads = "private"', "plan kaditz", True),
        ('reads = "private"', "migrate kaditz", False),
        ('reads = "private"', "doctor", False),
    ],
)
def test_only_reads_are_private(redis: Redis, reads: str, command: str, is_private: bool) -> None:
    bench = harness(redis, reads)
    bench.types("alice", command)
    (record,) = bench.runs.open_records()
    assert record.is_private is is_private
    assert ["Only you" in message.text for message in bench.replies[:1]] == [True] * is_private or command == "doctor"


def test_a_change_takes_no_private_flag(redis: Redis) -> None:
    bench = harness(redis)
    bench.types("alice", "migrate kaditz --private")
    assert bench.runs.open_runs() == []
    assert "unknown flag --private" in bench.replies[0].text


def test_the_requester_shows_the_answer_and_the_audit_log_says_so(redis: Redis) -> None:
    bench = harness(redis)
    bench.types("alice", "nodes --private")
    (run,) = bench.runs.open_runs()
    bench.runs.close(run)
    assert press(bench, "alice", run) == press(bench, "alice", run) == ""
    assert is_shown(bench, run)
    assert bench.runs.open_runs() == [run]
    assert any(run in str(fact) and "show" in str(fact) for fact in bench.audit_facts())


def reply_to(bench: BotHarness, who: str, command: str) -> str:
    bench.replies.clear()
    bench.types(who, command)
    return "".join(message.text for message in bench.replies)


def private_plan(bench: BotHarness) -> str:
    """Return Alice's private run, which has finished."""
    bench.types("alice", "plan kaditz --private")
    (run,) = bench.runs.open_runs()
    bench.emit(run, JobStarted("kaditz"), JobFinished("done", "Nothing was changed."))
    return run


@pytest.mark.parametrize("is_posted", [False, True])
@pytest.mark.parametrize("command", ["status", "status {run}"])
def test_others_see_a_private_run_only_once_it_is_posted(redis: Redis, command: str, is_posted: bool) -> None:
    bench = harness(redis)
    run = private_plan(bench)
    if is_posted:
        press(bench, "alice", run)
    replies = [reply_to(bench, who, command.format(run=run)) for who in ("alice", "bob", "dave")]
    assert ["kaditz" in reply for reply in replies] == [True, is_posted, is_posted]


@pytest.mark.parametrize(("who", "starts"), [("alice", True), ("dave", False)])
def test_a_private_run_is_tried_again_in_private_and_by_its_requester_only(
    redis: Redis, who: str, starts: bool
) -> None:
    bench = harness(redis)
    run = private_plan(bench)
    reply = reply_to(bench, who, f"retry {run}")
    records = [record for record in bench.runs.recent(9) if record.run != run]
    assert [(record.requester, record.is_private) for record in records] == [(IDS["alice"], True)] * starts
    assert starts or f"There is no run `{run}`" in reply


def test_a_posted_answer_is_tried_again_in_public(redis: Redis) -> None:
    bench = harness(redis)
    run = private_plan(bench)
    press(bench, "alice", run)
    bench.types("dave", f"retry {run}")
    assert [record.is_private for record in bench.runs.recent(9) if record.run != run] == [False]


@pytest.mark.parametrize(
    ("who", "channel", "value"),
    [("bob", OPS, ""), ("mallory", OPS, ""), ("anonymous", OPS, ""), ("alice", LEI, ""), ("alice", OPS, "x1y2z3a4")],
)
def test_a_forged_click_shows_nothing(redis: Redis, who: str, channel: str, value: str) -> None:
    bench = harness(redis)
    bench.types("alice", "nodes --private")
    (run,) = bench.runs.open_runs()
    assert "no longer works" in press(bench, who, value or run, channel)
    assert not is_shown(bench, run)


def test_the_button_shows_no_public_run(redis: Redis) -> None:
    bench = harness(redis)
    bench.types("alice", "migrate kaditz")
    (run,) = bench.runs.open_runs()
    assert "no longer works" in press(bench, "alice", run)
    assert not is_shown(bench, run)


def test_a_requester_who_lost_the_right_cannot_show_the_answer(redis: Redis) -> None:
    bench = harness(redis)
    bench.types("alice", "nodes --private")
    (run,) = bench.runs.open_runs()
    rights = bench.file.rights.model_copy(update={"read": ("U02BOB",)})
    later = BotHarness(redis, bench.file.model_copy(update={"rights": rights}))
    assert "(requires `read`)" in press(later, "alice", run)
    assert not is_shown(later, run)


@pytest.mark.parametrize("value", ["{run}", "{run}:1"])
def test_the_next_steps_do_not_show_an_answer(redis: Redis, value: str) -> None:
    bench = harness(redis)
    bench.types("alice", "nodes --private")
    (run,) = bench.runs.open_runs()
    text = value.format(run=run)
    delivery = Delivery("click", "next-show", IDS["alice"], OPS, text, "", 0.0, step=SHOW_STEP)
    bench.handler.handle_next_step(delivery, bench._reply("alice", OPS, delivery.delivery_id, text))
    assert "no longer works" in bench.replies[-1].text
    assert not is_shown(bench, run)


@pytest.mark.parametrize(("name", "expected"), [("pause", "pause"), (SHOW_STEP, "none"), ("", "none")])
def test_a_menu_item_or_a_next_step_is_never_the_button_that_shows(name: str, expected: str) -> None:
    assert next_step_name(name) == expected
    assert SHOW_STEP not in {step.name for steps in TABLE.values() for step in steps}


def test_a_form_can_ask_for_a_private_answer(redis: Redis) -> None:
    bench = harness(redis)
    view = bench.forms.command_form(IDS["alice"], OPS, "nodes")
    assert isinstance(view, dict)
    values = {
        "command": {"form.choose": {"selected_option": {"value": "nodes"}}},
        "switches": {"form.switches": {"selected_options": [{"value": "--private"}]}},
    }
    delivery = bench.forms.read_command(IDS["alice"], {**view, "id": "V01", "state": {"values": values}}, "trigger")
    assert isinstance(delivery, Delivery)
    assert delivery.text == "nodes --private"
    bench.types("alice", delivery.text)
    (record,) = bench.runs.open_records()
    assert record.is_private
