"""Render imker.toml and .env. Pure."""

import json
import re
from collections.abc import Iterable, Mapping

from imker_cli.init.answers.model import FoundHosts, SlackAnswers, Value

HEADER = """\
# Written by `imker init`. `imker check` finds mistakes; docs/configuration.md lists every key.
"""
Sections = Mapping[tuple[str, ...], Mapping[str, Value]]  # the parts of a section's name -> its keys
Comments = Mapping[tuple[str, ...], str]  # a section's name and a key -> the comment at the end of its line


def render_toml(sections: Sections, comments: Comments | None = None) -> str:
    """Return the sections as text."""
    texts = [_render_section(name, keys, comments or {}) for name, keys in sections.items()]
    return "\n".join([HEADER, *texts])


def slack_sections(answers: SlackAnswers) -> tuple[Sections, Comments]:
    """Return [slack] and [rights], and the names behind the IDs as comments."""
    rights: dict[str, Value] = {
        "read": ["*"],
        "change": list(answers.change.values()),
        "accept": list(answers.accept.values()),
    }
    if answers.accept_own:
        rights["accept_own"] = True
    comments: Comments = {
        ("slack", "channels"): f"#{answers.channel_name}",
        ("rights", "read"): "everyone in the workspace may use the read commands",
        ("rights", "change"): ", ".join(answers.change),
        ("rights", "accept"): ", ".join(answers.accept),
    }
    return {("slack",): {"team": answers.team, "channels": [answers.channel]}, ("rights",): rights}, comments


def host_sections(selection: FoundHosts, known_hosts: str, managers: Iterable[str] = ()) -> Sections:
    """Return [inventory] and the sections of hosts. A host of a store needs none, unless it is to be a manager."""
    manager_names = set(managers)
    hosts: Sections = {
        ("hosts", host.name): {**host.section, **({"role": "manager"} if host.name in manager_names else {})}
        for host in selection.hosts
        if not selection.has_store or host.section or host.name in manager_names
    }
    return {("inventory",): {**selection.inventory, "known_hosts": known_hosts}, **hosts}


def render_environment(former: str, values: Mapping[str, str]) -> str:
    """Return the text of .env with these values. All other lines of the former text stay."""
    lines = [line for line in former.splitlines() if _variable_of(line) not in values]
    return "".join(f"{line}\n" for line in (*lines, *(f"{name}={value}" for name, value in values.items())))


def find_variables(text: str) -> frozenset[str]:
    """Return the names of the variables that the text of an .env sets."""
    return frozenset(filter(None, map(_variable_of, text.splitlines())))


def _render_section(name: tuple[str, ...], keys: Mapping[str, Value], comments: Comments) -> str:
    lines = [f"{key} = {_render_value(value)}{_comment(comments.get((*name, key), ''))}" for key, value in keys.items()]
    return "".join(f"{line}\n" for line in (f"[{'.'.join(map(_render_key, name))}]", *lines))


def _render_key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _render_value(text)


def _render_value(value: Value) -> str:
    """Return the value in TOML, whose strings are those of JSON, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Return a comment on one line, for which TOML allows no control characters."""
    return f"  # {''.join(filter(str.isprintable, text))}" if text else ""


def _variable_of(line: str) -> str:
    match = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*\S", line)
    return match[1] if match else ""
