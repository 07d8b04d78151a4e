"""docs/commands.md is generated from the command table."""

from pathlib import Path

from bot.commands.reference import render_reference

PAGE = Path(__file__).parents[4] / "docs/commands.md"


def test_the_page_is_the_one_that_the_table_renders() -> None:
    assert PAGE.read_text() == render_reference(), "python -m bot.commands.reference > docs/commands.md"
