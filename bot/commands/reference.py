"""Render the command table as docs/commands.md: `python -m bot.commands.reference > docs/commands.md`. Pure."""

from collections.abc import Iterable

from bot.commands.model import CommandSpec
from bot.commands.table import COMMANDS

HEADER = """# Commands

This page is generated from the command table in `bot/commands/table.py`.

Type a command in a channel of `[slack] channels`, or mention the bot: `@imker nodes`. `HOST` is a name from the
inventory, `SERVICE` a service's name, `RUN` the ID of a run, `ID` the ID of a run or of a node, or the beginning of a
node's ID. [Services](services.md) says more about those. Commands with the
right *change* or *accept* are refused without that right; see [configuration.md](configuration.md#imkertoml). Buttons
in messages do the same as the commands and go through the same checks.
"""
RIGHTS = {
    "read": "Commands that read",
    "change": "Commands that change hosts",
    "accept": "Commands that accept managers",
    "": "Commands for everyone",
}


def render_reference(commands: Iterable[CommandSpec] = COMMANDS) -> str:
    """Return the page as Markdown: a table for each right, in the order of RIGHTS."""
    listed = tuple(commands)
    return "\n".join([HEADER, *(_section(right, listed) for right in RIGHTS)])


def _section(right: str, commands: tuple[CommandSpec, ...]) -> str:
    rows = [
        f"| `{command.usage}` | {command.summary} | `/swarm {command.example.format(host='kaditz')}` |"
        for command in commands
        if command.right == right
    ]
    header = [f"## {RIGHTS[right]}", "", "| command | what it does | example |", "| --- | --- | --- |"]
    return "\n".join([*header, *rows, ""])


if __name__ == "__main__":
    print(render_reference(), end="")
