"""Render the commands that a message suggests, as slash commands that one can copy. Pure."""

from collections.abc import Iterable

from bot.messages.escape import escape_mrkdwn, escape_with_code, inline_code
from imker.protocol.job_command import JobCommand
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.version import READS_QUEUE

REPLANS = "it re-plans from the current state and runs only the remaining steps."


def format_command(command: JobCommand | BotCommand) -> str:
    """Return the slash command as code, such as `/swarm migrate kaditz --manager`."""
    return inline_code(f"/swarm {command.text}")


def next_step_text(hint: str, next_commands: Iterable[NextCommand]) -> str:
    """Return the hint, escaped, and a sentence for each command. "" if there is neither."""
    return " ".join(part for part in (escape_with_code(hint), *map(_sentence, next_commands)) if part)


def _sentence(next_command: NextCommand) -> str:
    command, code = next_command.command, format_command(next_command.command)
    if next_command.purpose:
        return f"To {escape_mrkdwn(next_command.purpose)}, type {code}."
    if isinstance(command, BotCommand) and command.name == "retry":
        return f"Run {code}: {REPLANS}"
    return f"See {code}." if isinstance(command, BotCommand) or command.queue == READS_QUEUE else f"Run {code}."
