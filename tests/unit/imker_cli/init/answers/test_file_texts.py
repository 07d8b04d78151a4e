"""Render imker.toml and .env."""

import io
import tomllib

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from imker_cli.init.answers.file_texts import (
    Sections,
    find_variables,
    host_sections,
    render_environment,
    render_toml,
    slack_sections,
)
from imker_cli.init.answers.model import FoundHost, FoundHosts, SlackAnswers

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
VALUES = TEXTS | st.integers(-10, 10) | st.booleans() | st.lists(TEXTS, max_size=3)
SECTIONS = st.dictionaries(st.tuples(st.just("hosts"), TEXTS), st.dictionaries(KEYS, VALUES, max_size=3), max_size=3)


@given(SECTIONS, TEXTS)
def test_toml_reads_back(sections: Sections, comment: str) -> None:
    comments = {(*name, key): comment for name, keys in sections.items() for key in keys}
    hosts = {name: dict(keys) for (_, name), keys in sections.items()}
    assert tomllib.loads(render_toml(sections, comments)) == ({"hosts": hosts} if hosts else {})


def test_renders_a_file_that_a_person_can_read() -> None:
    answers = SlackAnswers("T01", "C01OPS", "ops", {"alice": "U01ALICE"}, {"alice": "U01ALICE"}, accept_own=True)
    slack, comments = slack_sections(answers)
    hosts = (FoundHost("kaditz", {"address": "10.0.0.1", "ssh_port": 22}), FoundHost("a.b", {"address": "a.b"}))
    selection = FoundHosts(hosts, {"engine_over": "ssh"})
    text = render_toml({**slack, **host_sections(selection, "/x/known_hosts", ["kaditz"])}, comments)
    _, body = text.split("\n\n", 1)
    assert (
        body
        == """\
[slack]
team = "T01"
channels = ["C01OPS"]  # #ops

[rights]
read = ["*"]  # everyone in the workspace may use the read commands
change = ["U01ALICE"]  # alice
accept = ["U01ALICE"]  # alice
accept_own = true

[inventory]
engine_over = "ssh"
known_hosts = "/x/known_hosts"

[hosts.kaditz]
address = "10.0.0.1"
ssh_port = 22
role = "manager"

[hosts."a.b"]
address = "a.b"
"""
    )


def test_names_only_managers_of_a_store() -> None:
    selection = FoundHosts((FoundHost("kaditz"), FoundHost("tondi")), {"docker_machine": "/store"}, has_store=True)
    assert set(host_sections(selection, "/x", ["tondi"])) == {("inventory",), ("hosts", "tondi")}


@pytest.mark.parametrize(
    ("former", "text"),
    [
        ("", "A=1\nB=2\n"),
        ("# mine\nC=3\nA=0\n", "# mine\nC=3\nA=1\nB=2\n"),
        ("export A=0\nAB=4", "AB=4\nA=1\nB=2\n"),
        ("A=\n", "A=\nA=1\nB=2\n"),
    ],
)
def test_replaces_variables_and_keeps_other_lines(former: str, text: str) -> None:
    rendered = render_environment(former, {"A": "1", "B": "2"})
    assert rendered == text
    values = dotenv_values(stream=io.StringIO(rendered))
    assert (values["A"], values["B"]) == ("1", "2")


def test_finds_variables_that_are_set() -> None:
    assert find_variables("A=1\n#B=2\nexport C = 3\nD=\n") == {"A", "C"}
