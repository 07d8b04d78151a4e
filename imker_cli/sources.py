"""List every setting in use with its source: a key of imker.toml, a variable, a file, or the default."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bot.settings import SLACK_API_URL, File
from imker import config, signing
from imker.config import ConfigError
from imker.redaction import MASK, redact
from imker.secret_files import SECRETS, find_secret
from imker_cli import environment_file
from jobs.inventory.hosts import read_hosts
from jobs.inventory.model import Host
from jobs.settings import HostSection, Settings

DEFAULT = "default"
VARIABLES = {  # variables that are no secrets -> their defaults
    "SLACK_API_URL": SLACK_API_URL,
    "IMKER_HTTP": "",
    "IMKER_LOG": "info",
    "IMKER_METRICS": "",
    "IMKER_CONFIG": "imker.toml",
    "IMKER_STATE": ".imker beside imker.toml",
}
VISIBLE_PREFIXES = ("xoxb-", "xapp-", "redis://", "rediss://", "unix://")  # the start of a secret that is no secret


def describe_settings(from_file: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return a line for each setting, and a line for each problem. `from_file`: names of variables set in .env."""
    path = Path(os.environ.get("IMKER_CONFIG") or "imker.toml")
    lines, problems = _file_lines(path)
    variable_lines, variable_problems = _variable_lines(frozenset(from_file))
    return [*lines, *variable_lines], [*problems, *variable_problems]


def _file_lines(path: Path) -> tuple[list[str], list[str]]:
    try:
        bot, bot_problems = config.read_partial(File, path)
        jobs, jobs_problems = config.read_partial(Settings, path)
    except ConfigError as error:
        return [], list(error.lines)
    inventory, host_problems = read_hosts(jobs)
    sections = {**dict(jobs), **dict(bot)}  # [rights] is the bot's: the RQ workers read some of its keys
    lines = [
        line
        for name, section in sections.items()
        if isinstance(section, BaseModel)
        for line in _section_lines(name, section, path)
    ]
    for host in inventory.values():
        lines += _host_lines(host, jobs, path)
    return lines, [*bot_problems, *jobs_problems, *host_problems]


def _section_lines(name: str, section: BaseModel, path: Path) -> Iterator[str]:
    for key in type(section).model_fields:
        source = str(path) if key in section.model_fields_set else DEFAULT
        yield _line(f"{name}.{key}", _plain(getattr(section, key)), source)


def _host_lines(host: Host, jobs: Settings, path: Path) -> Iterator[str]:
    """Yield the lines of a host: from its section, docker-machine's store, ssh_config, [inventory], or the defaults."""
    section, default = jobs.hosts.get(host.name), Host(host.name)
    in_section = section.model_fields_set if section else set()
    for key in HostSection.model_fields:
        value = getattr(host, key)
        others = [
            *([str(host.machine_config)] if host.machine_config else []),
            *([str(jobs.inventory.ssh_config)] if jobs.inventory.ssh_config else []),
            *([str(path)] if key in jobs.inventory.model_fields_set else []),
        ]
        found = " or ".join(others) if value != getattr(default, key) else DEFAULT
        yield _line(f"hosts.{host.name}.{key}", _plain(value), str(path) if key in in_section else found or DEFAULT)


def _variable_lines(from_file: frozenset[str]) -> tuple[list[str], list[str]]:
    lines: list[str] = []
    problems: list[str] = []
    for name, default in VARIABLES.items():
        value = os.environ.get(name, "")
        lines.append(_line(name, value or default, _variable_source(name, from_file) if value else DEFAULT))
    for name in SECRETS:
        try:
            secret = find_secret(name)
        except ConfigError as error:
            problems += error.lines
            continue
        source = _variable_source(name, from_file) if secret.source == name else secret.source
        lines.append(_line(name, mask(secret.value), source or "not set"))
    return lines, [*problems, *filter(None, [signing.key_problem(os.environ)])]


def _variable_source(name: str, from_file: frozenset[str]) -> str:
    return str(environment_file.path()) if name in from_file else "environment"


def mask(secret: str) -> str:
    """Return the secret without what is secret in it, "" if there is none."""
    prefix = next((prefix for prefix in VISIBLE_PREFIXES if secret.startswith(prefix)), "")
    if prefix.endswith("://"):
        return redact(f"{prefix}{MASK}@{secret.rpartition('@')[2]}" if "@" in secret else secret)
    return f"{prefix}{MASK}" if secret else ""


def _plain(value: Any) -> Any:
    """Return a value that JSON has."""
    if isinstance(value, BaseModel):
        return {key: _plain(inner) for key, inner in value.model_dump(by_alias=True, exclude_unset=True).items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | bool | dict | None) else str(value)


def _line(name: str, value: Any, source: str) -> str:
    text = "" if value in (None, "") else json.dumps(value, ensure_ascii=False)
    return f"{name} = {text or '-'}  # {source}"
