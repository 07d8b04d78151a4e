"""Render the help: the commands that the reader may use, grouped by task, with buttons. Pure."""

from collections.abc import Mapping, Sequence

from bot.commands.form_fields import by_task, form_commands
from bot.commands.model import CommandSpec
from bot.messages.block_kit import TEXT_LIMIT, Block, Message, button, section
from bot.messages.escape import escape_mrkdwn, inline_code
from bot.messages.replies.responses import AllowedCommands, example
from bot.messages.views.form import RUN_COMMAND, form_buttons
from imker.text import truncate

RUN_BUTTONS = {"nodes": "Nodes", "hosts": "Hosts", "status": "Status"}  # commands that a click runs at once
FORM_BUTTONS = {"plan": "Plan a host", "migrate": "Migrate a host"}  # commands whose form a click opens


def help_for(allowed: AllowedCommands, hosts: Sequence[str]) -> Message:
    """List the commands that the reader may use here, with their hosts unless they may use them on all."""
    groups = task_lines(allowed)
    samples = [inline_code(example(spec, allowed, hosts)) for spec in form_commands(allowed) if spec.arguments]
    parts = ["*Commands that you can use here*", *groups, *(["\n".join(["*Examples*", *samples])] if samples else [])]
    buttons = _buttons(allowed)
    actions = [{"type": "actions", "block_id": "help", "elements": buttons}] if buttons else []
    return Message(truncate("\n".join(parts), TEXT_LIMIT), (*map(section, parts), *actions))


def task_lines(allowed: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return one text for each task: its name, and its commands that are allowed."""
    return [
        "\n".join([f"*{task}*", *(_line(spec, allowed[spec.name]) for spec in specs)])
        for task, specs in by_task(allowed).items()
    ]


def _line(spec: CommandSpec, hosts: tuple[str, ...]) -> str:
    only = "" if "*" in hosts else f" (only {escape_mrkdwn(', '.join(hosts))})"
    return f"`{spec.usage}`  {spec.summary}{only}"


def _buttons(allowed: AllowedCommands) -> list[Block]:
    run = [button(label, f"{RUN_COMMAND}.{name}", name, "") for name, label in RUN_BUTTONS.items() if name in allowed]
    return [*form_buttons(tuple(allowed), FORM_BUTTONS), *run]
