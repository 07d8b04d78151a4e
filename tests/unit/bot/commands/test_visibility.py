"""Test where the flag `--private` counts, however it is typed."""

import pytest

from bot.commands.visibility import split_private

CASES = {
    "nodes": ("nodes", False),
    "nodes --private": ("nodes", True),
    "/swarm hosts —private": ("hosts", True),
    "plan kaditz -private --manager": ("plan kaditz --manager", True),
    "plan --Private. kaditz": ("plan kaditz", True),
    "status --private k3fm9x2q": ("status k3fm9x2q", True),
    "audit --private": ("audit", True),
    "plan private": ("plan private", False),
    "migrate kaditz --private": ("migrate kaditz --private", False),
    "migrate all --without private": ("migrate all --without private", False),
    "doctor --private": ("doctor --private", False),
    "--private": ("--private", False),
    "": ("", False),
}


@pytest.mark.parametrize(("text", "expected"), CASES.items())
def test_splits_the_flag_from_commands_that_read(text: str, expected: tuple[str, bool]) -> None:
    assert split_private(text) == expected
