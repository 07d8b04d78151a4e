import tomllib
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.model import CommandSpec, ShowHelp, UsageError
from bot.commands.normalize import normalize
from bot.commands.parser import parse
from bot.commands.table import COMMANDS
from bot.messages.replies.responses import example

HOSTS = ("connewitz", "kaditz", "lausen", "lei-1", "tondi")
CASES = tomllib.loads((Path(__file__).parents[3] / "data/commands.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_parses_typed_text(case: dict[str, str]) -> None:
    parsed = parse(case["text"], hosts=HOSTS)
    if "misuse" in case:
        assert isinstance(parsed, UsageError)
        assert case["misuse"] in f"{parsed.text} {parsed.usage}"
    else:
        assert repr(parsed) == case["command"]


def test_rejects_a_text_that_is_too_long() -> None:
    assert isinstance(parse("migrate " + "k" * 4000), UsageError)


@pytest.mark.parametrize("verb", COMMANDS, ids=lambda verb: verb.name)
def test_parses_the_example_of_every_command(verb: CommandSpec) -> None:
    assert not isinstance(parse(example(verb, {verb.name: ("*",)}, HOSTS), hosts=HOSTS), UsageError)


@hypothesis.example("<<>>\u20100")
@given(st.text(alphabet="-\u2010\u2014\u2212 \u200b./swarm<@U0>", max_size=80))
def test_normalized_text_parses_to_the_same_command(text: str) -> None:
    """Check that a saved command can be typed again: runs save the normalized text, and messages show it."""
    assert parse(normalize(f"migrate kaditz {text}")) == parse(f"migrate kaditz {text}")


@given(st.text(max_size=400))
def test_accepts_any_text_and_only_known_hosts(text: str) -> None:
    parsed = parse(text, hosts=HOSTS)
    assert getattr(parsed, "host", "kaditz") in HOSTS


def test_an_empty_command_shows_help() -> None:
    assert parse("") == ShowHelp()
