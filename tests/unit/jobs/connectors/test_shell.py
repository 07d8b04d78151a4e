"""Test the command lines that a host gets, and the errors of commands."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.connectors.shell import Command, Output, command, script, sudo
from jobs.errors import CommandFailed
from tests.support.local_shell import LocalShell

WORDS = st.lists(st.text(st.characters(blacklist_characters="\0")), min_size=1, max_size=4)


@given(WORDS, WORDS, WORDS)
def test_the_hosts_shell_reads_the_words_of_all_wrappers(argv: list[str], inner: list[str], outer: list[str]) -> None:
    wrapped = command(*argv).wrapped(*inner).wrapped(*outer)
    assert shlex.split(wrapped.line) == [*outer, *inner, *argv] == list(wrapped.words)
    assert shlex.split(sudo(*argv).wrapped(*inner).line) == ["sudo", "-n", "--", *inner, *argv]
    assert wrapped.name == argv[0], "errors name the command, not its wrappers"


@pytest.mark.processes
def test_a_script_gets_its_arguments_unchanged() -> None:
    greet = command(*script('printf "%s|" "$@"', "a b", "$HOME", ""))
    assert LocalShell().run(greet).stdout == "a b|$HOME||"


@pytest.mark.processes
@pytest.mark.parametrize("failing", [command("false"), sudo("false").wrapped("env", "A=1")])
def test_names_the_failed_command(failing: Command) -> None:
    with pytest.raises(CommandFailed, match=r"^false failed on kaditz \(exit 1\)"):
        LocalShell().run(failing)


@pytest.mark.processes
def test_returns_an_allowed_exit_status() -> None:
    allowed = command("false", check=False)
    assert LocalShell().run(allowed) == Output(1, "", "", b"")


def test_shows_no_stdin() -> None:
    assert "canary" not in repr(sudo("tee", "/etc/secret", stdin="canary"))
