"""Slack accepts every form, and a private reply fits into a modal."""

import pytest

from bot.commands.form_fields import form_commands
from bot.commands.model import CommandSpec
from bot.commands.table import BY_NAME
from bot.messages.block_kit import Message, section
from bot.messages.replies import command_help, responses
from bot.messages.views import form
from bot.messages.views.form import MAX_OPTIONS, CommandForm, View
from lab.slack.plain_text import view_text
from lab.slack.state import SlackState
from lab.slack.views import open_view

COMMANDS = form_commands(BY_NAME)


def is_accepted(view: View) -> bool:
    """Open the modal in the fake Slack, which raises SlackError for an invalid one."""
    state = SlackState()
    return bool(open_view({"trigger_id": state.new_trigger("U01ALICE"), "view": view}, state))


@pytest.mark.parametrize("chosen", [None, *COMMANDS], ids=lambda spec: spec.name if spec else "none")
@pytest.mark.parametrize("channels", [("C01OPS",), tuple(f"C{number:02}" for number in range(12))], ids=len)
@pytest.mark.parametrize("knows_hosts", [True, False])
def test_slack_accepts_the_form(chosen: CommandSpec | None, channels: tuple[str, ...], knows_hosts: bool) -> None:
    assert is_accepted(form.command_form(CommandForm(channels, COMMANDS, chosen, knows_hosts, "x" * 2000)))


@pytest.mark.parametrize(
    ("command", "private_reads", "expected"),
    [
        ("migrate", False, "The answer is posted in <#C01OPS>."),
        ("migrate", True, "The answer is posted in <#C01OPS>."),
        ("doctor", True, "The answer is posted in <#C01OPS>."),
        ("plan", False, "The answer is posted in <#C01OPS>. With `--private`, only you see it."),
        ("nodes", False, "The answer is posted in <#C01OPS>. With `--private`, only you see it."),
        ("nodes", True, "Only you see the answer."),
        ("status", False, "Only you see the answer."),
        ("audit", False, "Only you see the answer."),
    ],
)
def test_the_form_says_who_sees_the_answer(command: str, private_reads: bool, expected: str) -> None:
    view = form.command_form(CommandForm(("C01OPS",), COMMANDS, BY_NAME[command], private_reads=private_reads))
    lines = [line for line in view_text(view).splitlines() if "answer" in line]
    assert lines == [expected]


def test_before_the_choice_the_form_says_nothing_about_the_answer() -> None:
    assert "answer" not in view_text(form.command_form(CommandForm(("C01OPS",), COMMANDS))).replace("Answer a", "")


@pytest.mark.parametrize(
    "message",
    [
        responses.info("done"),
        responses.not_found("x" * 10_000),
        Message("as text", ({"type": "table", "rows": []}, section("not shown"))),
        Message("y" * 10_000, ({"type": "plan"},)),
        command_help.help_for(dict.fromkeys(BY_NAME, ("*",)), ("tondi",)),
    ],
    ids=range(5),
)
def test_slack_accepts_every_notice(message: Message) -> None:
    assert is_accepted(form.notice(message))


def test_a_notice_shows_the_text_in_place_of_blocks_that_modals_do_not_have() -> None:
    message = Message("as text", ({"type": "table", "rows": []}, section("not shown")))
    assert view_text(form.notice(message)) == "as text"


def test_the_form_for_a_rejection_names_the_host() -> None:
    view = form.reject_form("tondi", "signed")
    assert is_accepted(view)
    assert "Reject `tondi` as a manager?" in view_text(view)
    assert "Reject the node as a manager?" in view_text(form.reject_form("", "signed"))


@pytest.mark.parametrize(
    ("query", "matches"),
    [("", ["connewitz", "lei-1", "tondi"]), ("  T", ["tondi", "connewitz"]), ("ei", ["lei-1"]), ("nosuch", [])],
)
def test_searches_hosts(query: str, matches: list[str]) -> None:
    options = form.host_options(("tondi", "lei-1", "connewitz"), query)
    assert [option["value"] for option in options] == matches


def test_offers_as_many_hosts_as_slack_shows() -> None:
    assert len(form.host_options([f"host-{number}" for number in range(300)], "host")) == MAX_OPTIONS
