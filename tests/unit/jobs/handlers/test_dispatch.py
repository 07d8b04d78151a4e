"""Check that every command has a handler, a queue, and a text of its own, and that jobs write no slash command."""

import ast
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from imker.protocol.commands import Command
from imker.protocol.job_command import JobCommand
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE
from jobs.handlers import dispatch

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef
TYPES: tuple[type[JobCommand], ...] = get_args(get_args(Command)[0])


@pytest.mark.parametrize("kind", TYPES)
def test_every_command_has_one_handler_and_a_queue(kind: type[JobCommand]) -> None:
    assert kind in dispatch.registry
    assert kind.queue in (READS_QUEUE, CHANGES_QUEUE)


@pytest.mark.parametrize("kind", TYPES)
def test_a_command_with_arguments_has_its_own_text(kind: type[JobCommand]) -> None:
    has_arguments = [field.name for field in fields(kind) if field.name != "type"] != []  # type: ignore[arg-type]
    assert (kind.text is not JobCommand.text) is has_arguments


def test_a_command_without_a_handler_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="no handler"):
        dispatch(JobCommand(), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(Path("jobs").rglob("*.py")), ids=str)
def test_no_text_of_the_jobs_has_a_slash_command(path: Path) -> None:
    tree = ast.parse(path.read_text())
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in texts if "/swarm " in text and text not in docstrings] == []
