"""docs/traps.md is correct: each trap has an answer, and everything that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "docs/traps.md").read_text().splitlines()
TRAPS = [line for line in LINES if line.startswith("| ") and not line.startswith(("| trap |", "| --- |"))]


def named(pattern: str, folder: str, files: str) -> set[str]:
    matches = (re.findall(pattern, file.read_text(), re.MULTILINE) for file in (ROOT / folder).rglob(files))
    return {name for names in matches for name in names}


CHECKS = named(r'(?:_finding|Finding)\(\s*"([\w -]+)"', "jobs", "*.py")
TESTS = named(r"^def (test_\w+)", "tests", "test_*.py")
STEPS = named(r"^class (\w+)", "jobs/steps", "*.py")


@pytest.mark.parametrize("row", TRAPS, ids=lambda row: row[2:60])
def test_every_trap_has_an_answer_that_exists(row: str) -> None:
    _, does, where = (cell.strip() for cell in row[1:-1].split("|"))
    assert re.match(r"(handled|finding|not handled): .", does)
    assert where or does.startswith("not handled")
    for name in re.findall(r"`([^`]+)`", where):
        assert list(ROOT.glob(name.rstrip("*") + "*")) if "/" in name else name in TESTS | STEPS, name
    for name in re.findall(r"\*([\w -]+)\*", does):
        assert name in CHECKS, name
