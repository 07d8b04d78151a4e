"""Test that commands in messages copy exactly, and that text from a host can format nothing and mention no one."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.messages.escape import escape_code, escape_mrkdwn, escape_with_code, inline_code
from imker.text import strip_control

HAIR_SPACE = "\u200a"
MARKED_TEXT = st.text(st.sampled_from("`*_~<>&@!U1 a\n\\'\u200b\u202e"), max_size=40)  # what opens and closes a format
COMMANDS = [
    "docker swarm leave --force",
    "ssh-keyscan -p 22 192.0.2.7 >> ~/.ssh/known_hosts",
    "rm -f /etc/docker/key.json; systemctl start docker && docker info",
    "imker audit verify --head 9f3c:214",
    "docker ps --filter name=_web_ --format *",
]
PROSE = {
    "E: `foo' is missing": "E: 'foo' is missing",
    "see *this* and _that_": "see *\u200athis* and _\u200athat_",
    "snake_case_name, 5 * 3": "snake_case_name, 5 * 3",
    "<@U02BOB> <!channel> a & b": "&lt;@U02BOB&gt; &lt;!channel&gt; a &amp; b",
    "\x1b[31mred\u200b": "red",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_in_code_copies_exactly(command: str) -> None:
    for text in (escape_with_code(f"*Now* run `{command}` on a manager."), f"Run {inline_code(command)}."):
        (code,) = re.findall("`(.*)`", text)
        assert html.unescape(code) == command


@pytest.mark.parametrize(("text", "expected"), PROSE.items())
def test_prose_has_no_format(text: str, expected: str) -> None:
    assert escape_mrkdwn(text) == escape_with_code(text) == expected


def test_code_between_backticks_is_code_only_where_imker_writes_it() -> None:
    assert escape_with_code("run `docker info`") == "run `docker info`"
    assert escape_mrkdwn("run `docker info`") == "run 'docker info'"


@given(MARKED_TEXT)
@example("`<@U02BOB>`")
def test_no_text_mentions_anyone_or_opens_a_link(text: str) -> None:
    for escaped in (escape_mrkdwn(text), escape_with_code(text), escape_code(strip_control(text)), inline_code(text)):
        assert not set("<>") & set(escaped)
        assert re.sub("&(amp|lt|gt);", "", escaped).count("&") == 0


@given(MARKED_TEXT)
def test_no_text_leaves_inline_code(text: str) -> None:
    code = inline_code(text)
    assert (code[0], code[-1], code.count("`"), code.count("\n")) == ("`", "`", 2, 0)
    assert html.unescape(code[1:-1]) == strip_control(text).replace("`", "'").replace("\n", " ")


@given(MARKED_TEXT)
@example("a`")
@example("`````")
def test_no_text_leaves_a_code_block(text: str) -> None:
    block = f"```{escape_code(strip_control(text))}```"
    assert re.fullmatch(r"```(?!`)(?:(?!```)[\s\S])*?(?<!`)```", block) or block == "``````"


@given(MARKED_TEXT)
def test_code_of_a_text_has_no_invisible_characters_and_backticks_are_paired(text: str) -> None:
    escaped = escape_with_code(text)
    spans = re.findall("`([^`\n]+)`", escaped)
    assert escaped.count("`") == 2 * len(spans)
    assert not any(HAIR_SPACE in span for span in spans)
