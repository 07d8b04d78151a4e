"""Form fields: what is chosen becomes the text that one would type, and no submission breaks the reader."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.form_fields import (
    OTHER_TASKS,
    FormFields,
    FormValues,
    by_task,
    compose,
    form_commands,
    form_fields,
    read_values,
)
from bot.commands.model import UsageError
from bot.commands.parser import parse
from bot.commands.table import BY_NAME, COMMANDS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
NAMES = st.sampled_from(["command", "channel", "host", "role", "switches", "excluded_hosts", "reason", "x"])
KEYS = st.sampled_from(["value", "selected_option", "selected_options", "text"])
STATES = st.dictionaries(NAMES, st.dictionaries(st.just("a"), st.dictionaries(KEYS, JSON, max_size=3) | JSON))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("nodes", FormFields(switches=("--private",))),
        ("status", FormFields()),
        ("plan", FormFields(host=True, role=True, switches=("--docker-group", "--private"))),
        ("migrate all", FormFields(excluded_hosts=True)),
        ("retire", FormFields(host=True)),
        ("accept", None),
        ("pause", None),
        ("cancel", None),
        ("start", None),
    ],
)
def test_finds_the_fields_of_a_command(name: str, fields: FormFields | None) -> None:
    assert form_fields(BY_NAME[name]) == fields


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (FormValues("nodes", host="tondi", role="manager"), "nodes"),
        (FormValues("migrate", host="tondi"), "migrate tondi"),
        (
            FormValues("migrate", host="tondi", role="worker", switches=("--docker-group", "--force")),
            "migrate tondi --worker --docker-group",
        ),
        (FormValues("migrate all", excluded_hosts=("tondi", "lei-1")), "migrate all --without tondi,lei-1"),
        (FormValues("migrate", host="tondi", role="owner"), "migrate tondi"),
        (FormValues("accept", host="tondi"), ""),
        (FormValues("scale", host="tondi", words=" web=5  api=2 "), "scale web=5 api=2"),
        (FormValues("services", switches=("--private",), words=""), "services --private"),
        (FormValues("reboot"), ""),
        (FormValues(), ""),
    ],
)
def test_composes_the_text_that_one_would_type(values: FormValues, text: str) -> None:
    assert compose(values) == text


@pytest.mark.parametrize("spec", form_commands(BY_NAME), ids=lambda spec: spec.name)
def test_the_parser_accepts_every_form(spec: Any) -> None:
    words = spec.example.removeprefix(spec.name).strip()
    values = FormValues(spec.name, "C01OPS", "tondi", "manager", ("--docker-group",), ("lei-1",), words=words)
    assert not isinstance(parse(compose(values)), UsageError)


def test_each_command_belongs_to_one_task() -> None:
    grouped = by_task(BY_NAME)
    assert sorted(spec.name for specs in grouped.values() for spec in specs) == sorted(spec.name for spec in COMMANDS)
    assert [spec.name for spec in grouped[OTHER_TASKS]] == ["help"]
    assert by_task(["nodes"]) == {"See the swarm": (BY_NAME["nodes"],)}


@given(STATES | JSON)
def test_reads_any_submission(values: Any) -> None:
    for state in (values, {"values": values}):
        read = read_values(state)
        assert isinstance(compose(read), str)
        assert all(isinstance(name, str) for name in (*read.switches, *read.excluded_hosts))
