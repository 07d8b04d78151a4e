"""Render the modals: the form for a command, the form for a rejection, and a private notice. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.commands.form_fields import FormFields, by_task, form_fields
from bot.commands.model import PRIVATE_FLAG, CommandSpec
from bot.commands.visibility import audience
from bot.messages.block_kit import SECTION_LIMIT, Block, Message, button, context, section
from imker.text import truncate

View = dict[str, Any]
FormKind = Literal["form.command", "form.reject"]  # callback IDs
CHOOSE_COMMAND, OPEN_FORM, CHOOSE_HOST, RUN_COMMAND = "form.choose", "form.open", "form.host", "command.run"
COMMAND, CHANNEL, HOST, EXCLUDED, REASON, WORDS = "command", "channel", "host", "excluded_hosts", "reason", "words"
MAX_OPTION, MAX_OPTIONS, MAX_REASON, MAX_WORDS = 75, 100, 160, 250  # characters; options; characters
BLOCKS_OF_MODALS = ("section", "context", "divider", "header", "rich_text")
FORM_GONE = "This button or form no longer works. Open a new form with `/swarm`."


@dataclass(frozen=True)
class CommandForm:
    """What the form for a command shows.

    `channels`: where it may be submitted to; `commands`: what the reader may use; `chosen`: one of them, None before
    the choice; `knows_hosts`: whether there are hosts to search; `metadata`: comes back with the submission;
    `private_reads`: whether the answers of commands that read are private.
    """

    channels: tuple[str, ...]
    commands: tuple[CommandSpec, ...]
    chosen: CommandSpec | None = None
    knows_hosts: bool = True
    metadata: str = ""
    private_reads: bool = False


def command_form(form: CommandForm) -> View:
    """Return the form for a command."""
    fields = form_fields(form.chosen) if form.chosen else None
    blocks = [
        *_channel(form.channels),
        _command_choice(form),
        *(_fields(form, fields) if fields else ()),
        *([context(_audience_text(form, form.chosen))] if form.chosen else []),
        *([context(f"The same as typing `{form.chosen.usage}`.")] if form.chosen else []),
    ]
    return _modal("form.command", "Swarm", "Run", blocks, form.metadata)


def reject_form(host: str, metadata: str) -> View:
    """Return the form that asks for the reason of a rejection. `host`: the host, "" if it is unknown; escaped."""
    subject = f"`{host}`" if host else "the node"
    text_input = {"type": "plain_text_input", "action_id": "form.reason", "max_length": MAX_REASON}
    blocks = [
        section(f"Reject {subject} as a manager? It stays a worker."),
        _input(REASON, "Reason", text_input, optional=True, hint="Shown in the channel and in the audit log."),
    ]
    return _modal("form.reject", "Reject", "Reject", blocks, metadata)


def notice(message: Message) -> View:
    """Return a modal with a private reply. Blocks that a modal cannot show are replaced by the reply's text."""
    fits = all(block["type"] in BLOCKS_OF_MODALS for block in message.blocks)
    blocks = list(message.blocks) if fits and message.blocks else [section(truncate(message.text, SECTION_LIMIT))]
    return {"type": "modal", "title": _plain("Imker"), "close": _plain("Close"), "blocks": blocks}


def host_options(hosts: Sequence[str], query: str) -> list[Block]:
    """Return the hosts whose names contain the query, as options. Names that start with it come first."""
    query_text = query.strip().lower()
    matches = sorted(
        (host for host in hosts if query_text in host), key=lambda host: (not host.startswith(query_text), host)
    )
    return [_option(host, host) for host in matches[:MAX_OPTIONS]]


def form_buttons(allowed: Sequence[str], labels: dict[str, str]) -> list[Block]:
    """Return buttons that open the form of a command, for those commands that are allowed."""
    return [button(label, f"{OPEN_FORM}.{name}", name, "") for name, label in labels.items() if name in allowed]


def _channel(channels: tuple[str, ...]) -> list[Block]:
    """Return the choice of a channel, or a note if there is only one."""
    if len(channels) == 1:
        return [context(f"Channel: <#{channels[0]}>")]
    options = [{"text": {"type": "mrkdwn", "text": f"<#{channel}>"}, "value": channel} for channel in channels[:10]]
    element = {"type": "radio_buttons", "action_id": "form.channel", "options": options, "initial_option": options[0]}
    return [_input(CHANNEL, "Channel", element)]


def _audience_text(form: CommandForm, spec: CommandSpec) -> str:
    place = f"<#{form.channels[0]}>" if len(form.channels) == 1 else "the channel"
    match audience(spec, form.private_reads):
        case "channel":
            return f"The answer is posted in {place}."
        case "requester":
            return "Only you see the answer."
        case _:
            return f"The answer is posted in {place}. With `{PRIVATE_FLAG}`, only you see it."


def _command_choice(form: CommandForm) -> Block:
    names = [spec.name for spec in form.commands]
    groups = [
        {"label": _plain(task), "options": [_option(_label(spec), spec.name) for spec in specs]}
        for task, specs in by_task(names).items()
    ]
    element: Block = {
        "type": "static_select",
        "action_id": CHOOSE_COMMAND,
        "placeholder": _plain("Choose a command"),
        "option_groups": groups,
    }
    if form.chosen:
        element["initial_option"] = _option(_label(form.chosen), form.chosen.name)
    return {**_input(COMMAND, "What to do", element), "dispatch_action": True}


def _label(spec: CommandSpec) -> str:
    return f"{spec.name}: {spec.summary.replace('`', '')}"


def _fields(form: CommandForm, fields: FormFields) -> list[Block]:
    blocks = []
    if fields.host:
        blocks.append(_input(HOST, "Host", _host_picker(form, "")))
    if fields.role:
        roles = [_option(name.capitalize(), name) for name in ("manager", "worker")]
        element = {"type": "radio_buttons", "action_id": "form.role", "options": roles}
        blocks.append(_input("role", "Role", element, optional=True, hint="Default: the role in imker.toml."))
    if fields.words:
        text_input = {"type": "plain_text_input", "action_id": "form.words", "max_length": MAX_WORDS}
        is_optional = not fields.needs_words
        blocks.append(_input(WORDS, "Arguments", text_input, optional=is_optional, hint=fields.words))
    if fields.switches:
        element = {
            "type": "checkboxes",
            "action_id": "form.switches",
            "options": [_option(switch, switch) for switch in fields.switches],
        }
        blocks.append(_input("switches", "Options", element, optional=True))
    if fields.excluded_hosts:
        blocks.append(_input(EXCLUDED, "Hosts to leave out", _host_picker(form, "multi_"), optional=True))
    return blocks


def _host_picker(form: CommandForm, several: str) -> Block:
    """Return a searchable list of hosts, or a text field while no host is known."""
    if not form.knows_hosts:
        return {"type": "plain_text_input", "action_id": "form.host_text", "max_length": MAX_OPTION}
    return {
        "type": f"{several}external_select",
        "action_id": CHOOSE_HOST,
        "min_query_length": 0,
        "placeholder": _plain("Search hosts"),
    }


def _modal(kind: FormKind, title: str, submit: str, blocks: list[Block], metadata: str) -> View:
    return {
        "type": "modal",
        "callback_id": kind,
        "private_metadata": metadata,
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "blocks": blocks,
    }


def _input(block_id: str, label: str, element: Block, optional: bool = False, hint: str = "") -> Block:
    block = {"type": "input", "block_id": block_id, "label": _plain(label), "element": element, "optional": optional}
    return {**block, "hint": _plain(hint)} if hint else block


def _option(text: str, value: str) -> Block:
    return {"text": _plain(truncate(text, MAX_OPTION)), "value": value}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
