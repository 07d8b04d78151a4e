import tomllib
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers import example
from bot.grammar import Misuse, ShowHelp, parse
from bot.spelling import normalised
from bot.verbs import VERBS, Verb

HOSTS = ("connewitz", "kaditz", "lausen", "lei-1", "tondi")
CASES = tomllib.loads((Path(__file__).parents[1] / "data/commands.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_what_people_type(case: dict[str, str]) -> None:
    understood = parse(case["text"], hosts=HOSTS)
    if "misuse" in case:
        assert isinstance(understood, Misuse)
        assert case["misuse"] in f"{understood.text} {understood.usage}"
    else:
        assert repr(understood) == case["command"]


def test_too_long_is_no_command() -> None:
    assert isinstance(parse("migrate " + "k" * 4000), Misuse)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_example_is_understood(verb: Verb) -> None:
    assert not isinstance(parse(example(verb, {verb.name: ("*",)}, HOSTS), hosts=HOSTS), Misuse)


@hypothesis.example("<<>>\u20100")
@given(st.text(alphabet="-\u2010\u2014\u2212 \u200b./swarm<@U0>", max_size=80))
def test_what_is_understood_is_understood_again(text: str) -> None:
    """What was typed is kept as it was understood, and shown to be typed again."""
    assert parse(normalised(f"migrate kaditz {text}")) == parse(f"migrate kaditz {text}")


@given(st.text(max_size=400))
def test_no_text_breaks_it_and_only_known_hosts_get_through(text: str) -> None:
    understood = parse(text, hosts=HOSTS)
    assert getattr(understood, "host", "kaditz") in HOSTS


def test_nothing_is_help() -> None:
    assert parse("") == ShowHelp()
