"""Read the hosts of an Ansible inventory in INI or YAML, without running Ansible. Pure.

What Ansible takes from other files, from templates, or from programs is not read: `group_vars`, `{{ }}`, dynamic
inventories.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from string import ascii_lowercase
from typing import Any

import yaml

from imker_cli.init.answers.model import AnswerError, FoundHost, Value

MAX_HOSTS, MAX_DEPTH = 1000, 20
KEYS = {  # Ansible's variable -> the key of [hosts.NAME]; of two for a key, the later one counts
    "ansible_ssh_host": "address", "ansible_host": "address", "ansible_ssh_user": "ssh_user",
    "ansible_user": "ssh_user", "ansible_ssh_port": "ssh_port", "ansible_port": "ssh_port",
    "ansible_private_key_file": "ssh_key", "ansible_ssh_private_key_file": "ssh_key",
}  # fmt: skip
RANGE = re.compile(r"\[(\w+):(\w+)(?::(\d+))?\]")


@dataclass
class Group:
    """A group: its hosts with their variables, its own variables, and the names of its children."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)


Groups = dict[str, Group]


def parse_inventory(text: str, *, is_yaml: bool) -> tuple[FoundHost, ...]:
    """Return the hosts with their groups. Raise AnswerError."""
    groups = _parse_yaml(text) if is_yaml else _parse_ini(text)
    contained = {child for group in groups.values() for child in group.children}
    groups.setdefault("all", Group())
    groups["all"].children += [name for name in groups if name not in contained | {"all"}]
    depths: dict[str, dict[str, int]] = {}  # of each host: how deep each of its groups is
    for way in _walk(groups, ("all",)):
        for host in groups[way[-1]].hosts:
            depth_of = depths.setdefault(host, {})
            depth_of.update({name: max(depth, depth_of.get(name, 0)) for depth, name in enumerate(way)})
    return tuple(
        FoundHost(host.lower(), _section(host, _variables_of(host, groups, depth_of)), frozenset(depth_of))
        for host, depth_of in depths.items()
    )


def _variables_of(host: str, groups: Groups, depths: Mapping[str, int]) -> dict[str, Any]:
    """Return the host's variables. Those of a group inside a group count more, and its own count most."""
    ordered = [groups[name] for name in sorted(depths, key=lambda name: (depths[name], name))]
    variables = [*(group.variables for group in ordered), *(group.hosts.get(host, {}) for group in ordered)]
    return {key: value for each in variables for key, value in each.items()}


def _walk(groups: Groups, way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the way to each group, from `all` down. A group inside itself ends the way."""
    yield way
    for child in groups[way[-1]].children:
        if child not in groups:
            raise AnswerError(f"The inventory has no group {child}, which {way[-1]} contains.")
        if child not in way and len(way) < MAX_DEPTH:
            yield from _walk(groups, (*way, child))


def _section(host: str, variables: Mapping[str, Any]) -> dict[str, Value]:
    """Return the keys of [hosts.NAME]."""
    values = {key: str(variables[name]) for name, key in KEYS.items() if variables.get(name) not in (None, "")}
    templates = [key for key, value in values.items() if "{{" in value]
    if templates:
        raise AnswerError(f"{host}: {', '.join(templates)} is a template, which only Ansible can evaluate.")
    port = values.pop("ssh_port", "")
    if port and not port.isdecimal():
        raise AnswerError(f"{host}: ansible_port {port} is no number.")
    return {"address": host, **values, **({"ssh_port": int(port)} if port else {})}


def _parse_ini(text: str) -> Groups:
    groups: Groups = {}
    name, kind = "ungrouped", ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if header := re.fullmatch(r"\[([^\]:]+)(?::(vars|children))?\]\s*(?:[#;].*)?", line):
            name, kind = header[1], header[2] or ""
            groups.setdefault(name, Group())
            continue
        try:
            _read_line(groups.setdefault(name, Group()), kind, line)
        except ValueError as error:
            raise AnswerError(f"Line {number} of the inventory cannot be read: {error}") from error
    return groups


def _read_line(group: Group, kind: str, line: str) -> None:
    if kind == "vars":
        key, _, value = line.partition("=")
        group.variables[key.strip()] = value.strip().strip("\"'")
        return
    words = shlex.split(line, comments=True)
    if kind == "children":
        group.children.append(words[0])
        return
    variables = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    for host in expand_range(words[0]):
        group.hosts[host] = variables


def _parse_yaml(text: str) -> Groups:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise AnswerError(f"The inventory cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise AnswerError("The inventory is neither INI nor YAML of Ansible.")
    groups: Groups = {}
    for name, node in document.items():
        _read_node(groups, str(name), node, 0)
    return groups


def _read_node(groups: Groups, name: str, node: Any, depth: int) -> None:
    """Add a group of a YAML document, and its children."""
    group, fields = groups.setdefault(name, Group()), _mapping(node)
    group.variables |= _mapping(fields.get("vars"))
    for pattern, variables in _mapping(fields.get("hosts")).items():
        for host in expand_range(str(pattern)):
            group.hosts[host] = {**group.hosts.get(host, {}), **_mapping(variables)}
    for child, child_node in _mapping(fields.get("children")).items():
        group.children.append(str(child))
        if depth < MAX_DEPTH:
            _read_node(groups, str(child), child_node, depth + 1)


def _mapping(node: Any) -> dict[Any, Any]:
    return node if isinstance(node, dict) else {}


def expand_range(pattern: str) -> list[str]:
    """Return the hosts of a pattern such as `node[01:12]` or `node-[a:c].lan`. Raise ValueError."""
    parts, position = [], 0
    for match in RANGE.finditer(pattern):
        parts += [[pattern[position : match.start()]], _range(match[1], match[2], int(match[3] or 1))]
        position = match.end()
    parts.append([pattern[position:]])
    number = 1
    for part in parts:
        number *= len(part)
    if not 0 < number <= MAX_HOSTS:
        raise AnswerError(f"{pattern} stands for {number} hosts; a pattern may stand for 1 to {MAX_HOSTS}.")
    return ["".join(each) for each in product(*parts)]


def _range(first: str, last: str, step: int) -> list[str]:
    if first.isdecimal() and last.isdecimal() and step > 0:
        numbers = range(int(first), int(last) + 1, step)[: MAX_HOSTS + 1]
        return [str(number).zfill(len(first) if first.startswith("0") else 0) for number in numbers]
    if len(first) == len(last) == 1 and first in ascii_lowercase and last in ascii_lowercase and step > 0:
        return list(ascii_lowercase[ascii_lowercase.index(first) : ascii_lowercase.index(last) + 1 : step])
    raise ValueError(f"{first}:{last} is no range")
