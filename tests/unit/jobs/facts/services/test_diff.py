"""Differences between two Specs show harmless values, and never a secret."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from jobs.facts.services.diff import diff_specs

SECRETS = st.text("abcdefghijklmnop", min_size=10, max_size=14)
PLACES = ("Env", "Args", "Command", "Labels", "HealthcheckTest", "UnknownKey")


def spec(image: str = "nginx:1.11", **container: Any) -> dict[str, Any]:
    task = {"ContainerSpec": {"Image": image, **container}}
    return {"Name": "web", "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 2}}}


def test_shows_what_changed() -> None:
    before = spec(Env=["A=1", "B=2", "GONE=x"])
    after = {**spec("nginx:1.27", Env=["A=1", "B=3", "NEW=y"]), "Mode": {"Replicated": {"Replicas": 5}}}
    assert diff_specs(before, after).splitlines() == [
        "- Mode.Replicated.Replicas: 2",
        "+ Mode.Replicated.Replicas: 5",
        "  Env.B changed (value not shown)",
        "- Env.GONE",
        "+ Env.NEW",
        "- image: nginx:1.11",
        "+ image: nginx:1.27",
    ]


def test_equal_specs_have_no_difference() -> None:
    assert diff_specs(spec(Env=["A=1"]), spec(Env=["A=1"])) == ""


@given(SECRETS, SECRETS, st.sampled_from(PLACES))
def test_never_shows_a_secret(old: str, new: str, place: str) -> None:
    assume(old not in place.lower() and new not in place.lower())
    kinds: dict[str, Any] = {"Env": lambda text: [f"TOKEN={text}"], "Labels": lambda text: {"auth": text}}
    make = kinds.get(place, lambda text: [text])
    text = diff_specs(spec(**{place: make(old)}), spec(**{place: make(new)}))
    assert old not in text
    assert new not in text
    assert (text == "") == (old == new)
