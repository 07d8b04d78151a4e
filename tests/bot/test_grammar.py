import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.grammar import Misuse, ShowHelp, parse
from bot.verbs import VERBS

HOSTS = ("connewitz", "kaditz", "lausen", "tondi")
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
def test_every_example_is_understood(verb: object) -> None:
    assert not isinstance(parse(verb.example), Misuse)  # type: ignore[attr-defined]


@given(st.text(max_size=400))
def test_no_text_breaks_it_and_only_known_hosts_get_through(text: str) -> None:
    understood = parse(text, hosts=HOSTS)
    assert getattr(understood, "host", "kaditz") in HOSTS


def test_nothing_is_help() -> None:
    assert parse("") == ShowHelp()
