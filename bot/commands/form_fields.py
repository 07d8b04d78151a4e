"""Group commands by task, and map form fields to command text and back. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.commands.model import PRIVATE_FLAG, CommandSpec
from bot.commands.table import BY_NAME, COMMANDS

TASKS: dict[str, tuple[str, ...]] = {
    "See the swarm": ("nodes", "hosts", "status", "audit"),
    "See and change services": ("services", "service", "create", "scale", "restart", "rollback"),
    "Plan and migrate": ("plan", "migrate", "migrate all"),
    "Answer a question": ("accept", "reject", "continue"),
    "Control a run": ("pause", "resume", "cancel", "retry"),
    "Operate nodes": ("drain", "activate", "promote", "demote", "remove", "upgrade", "upgrade all"),
    "Watch the swarm": ("watch", "watch on", "watch off", "watch mute"),
    "Maintain hosts": ("start", "retire", "doctor"),
}
PRIVATE_FLAG_TEXT = f"[{PRIVATE_FLAG}]"
OTHER_TASKS = "More"
ROLE_FLAGS = {"manager": "--manager", "worker": "--worker"}


@dataclass(frozen=True)
class FormFields:
    """The fields of a command's form. `switches`: flags without a value; `words`: the words to type, "" for none."""

    host: bool = False
    role: bool = False
    excluded_hosts: bool = False
    switches: tuple[str, ...] = ()
    words: str = ""
    needs_words: bool = False


@dataclass(frozen=True)
class FormValues:
    """What was chosen in a form. Not trusted: the parser and the permission gate check it like a typed command."""

    command: str = ""
    channel: str = ""
    host: str = ""
    role: str = ""
    switches: tuple[str, ...] = ()
    excluded_hosts: tuple[str, ...] = ()
    reason: str = ""
    words: str = ""


def by_task(names: Iterable[str]) -> dict[str, tuple[CommandSpec, ...]]:
    """Return the commands by task, in the order of the command table. A command without a task is listed last."""
    allowed, grouped_names = set(names), {name for commands in TASKS.values() for name in commands}
    others = tuple(spec.name for spec in COMMANDS if spec.name not in grouped_names)
    grouped = {
        task: tuple(spec for spec in COMMANDS if spec.name in commands and spec.name in allowed)
        for task, commands in {**TASKS, OTHER_TASKS: others}.items()
    }
    return {task: specs for task, specs in grouped.items() if specs}


def form_fields(spec: CommandSpec) -> FormFields | None:
    """Return the command's form fields; None if it names a run or containers, which buttons and messages show."""
    if spec.scope == "services":
        words = spec.arguments.replace(PRIVATE_FLAG_TEXT, "").strip()
        switches = (PRIVATE_FLAG,) if PRIVATE_FLAG in spec.flags else ()
        return FormFields(words=words, switches=switches, needs_words=not words.startswith("["))
    required = set(re.sub(r"\[[^\[\]]*\]", "", spec.arguments).split())
    if required - {"HOST"} or (spec.right in ("change", "accept") and "RUN" in spec.arguments):
        return None
    return FormFields(
        host="HOST" in required,
        role=all(flag in spec.arguments for flag in ROLE_FLAGS.values()),
        excluded_hosts="--without" in spec.flags,
        switches=tuple(re.findall(r"\[(--[a-z-]+)\]", spec.arguments)),
    )


def form_commands(names: Iterable[str]) -> tuple[CommandSpec, ...]:
    """Return those of the commands that a form can ask for, without the help."""
    allowed = set(names) - {"help"}
    return tuple(spec for spec in COMMANDS if spec.name in allowed and form_fields(spec) is not None)


def compose(values: FormValues) -> str:
    """Return the command text that the chosen values stand for, "" if the form offers no such command."""
    spec = BY_NAME.get(values.command)
    fields = form_fields(spec) if spec else None
    if spec is None or fields is None:
        return ""
    words = [spec.name, values.host if fields.host else "", ROLE_FLAGS.get(values.role, "") if fields.role else ""]
    words += [switch for switch in fields.switches if switch in values.switches]
    if fields.excluded_hosts and values.excluded_hosts:
        words += ["--without", ",".join(values.excluded_hosts)]
    words += [" ".join(values.words.split())] if fields.words else []
    return " ".join(word for word in words if word)


def read_values(state: Any) -> FormValues:
    """Return the values of a submitted form. `state`: of any shape; what cannot be read counts as not chosen."""
    blocks = state.get("values") if isinstance(state, dict) else None
    command, channel, host, role, reason, words = (
        _value(_element(blocks, name)) for name in ("command", "channel", "host", "role", "reason", "words")
    )
    switches, excluded = (_values(_element(blocks, name)) for name in ("switches", "excluded_hosts"))
    return FormValues(command, channel, host, role, switches, excluded, reason, words)


def _element(blocks: Any, name: str) -> dict[str, Any]:
    """Return the state of the only element in the block of this name, {} if there is none."""
    block = blocks.get(name) if isinstance(blocks, dict) else None
    element = next(iter(block.values()), None) if isinstance(block, dict) else None
    return element if isinstance(element, dict) else {}


def _value(element: dict[str, Any]) -> str:
    """Return the typed text or the chosen option."""
    option = element.get("selected_option")
    value = option.get("value") if isinstance(option, dict) else element.get("value")
    return value.strip() if isinstance(value, str) else ""


def _values(element: dict[str, Any]) -> tuple[str, ...]:
    """Return the chosen options, or the words of a typed list."""
    options = element.get("selected_options")
    if not isinstance(options, list):
        return tuple(word for word in re.split(r"[,\s]+", _value(element)) if word)
    values = [option.get("value") for option in options if isinstance(option, dict)]
    return tuple(value for value in values if isinstance(value, str))
