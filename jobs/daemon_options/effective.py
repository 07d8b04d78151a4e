"""The options that the daemon's next start would have, each with the file it comes from."""

import json
import re
from typing import Any

from jobs.daemon_options.flags import pairs, words
from jobs.daemon_options.model import Option, OptionFiles
from jobs.daemon_options.places import assignments, directives

DAEMON_JSON = "/etc/docker/daemon.json"


def effective(options: OptionFiles) -> tuple[Option, ...]:
    """From the command that systemd would run, its variables put in, and from daemon.json."""
    return (*_from_command(options), *_from_json(options.files.get(DAEMON_JSON, "")))


def argv(options: OptionFiles) -> tuple[str, ...]:
    """The flags that the daemon's next start would have, variables put in; without the program's name."""
    value, _ = command(options)
    given: dict[str, str] = {}
    for path in options.unit.environment_files:
        given.update(variables(options.files.get(path.lstrip("-"), "")))
    found: list[str] = []
    for word in words(value)[1:]:
        name = re.fullmatch(r"\$\{?(\w+)\}?", word)
        found += words(given.get(name[1], "")) if name else [word]
    return tuple(found)


def listens_tcp(options: OptionFiles) -> bool:
    hosts = (option.value for option in effective(options) if option.name in ("H", "host", "hosts"))
    return any(host.startswith("tcp://") for host in hosts)


def command(options: OptionFiles) -> tuple[str, str]:
    """(ExecStart's value, its file): the last that is not reset, the unit first and its drop-ins in order."""
    found = ("", "")
    for path in (options.unit.fragment_path, *options.unit.drop_in_paths):
        text = options.files.get(path, "")
        for stretch in directives(text):
            if stretch.name == "ExecStart":
                value = text[stretch.start : stretch.end].strip()
                found = (value, path) if value else ("", "")
    return found


def readers(options: OptionFiles) -> frozenset[str]:
    """The environment files that the unit really reads *and* uses: those with a variable its command names."""
    value, _ = command(options)
    used = set(re.findall(r"\$\{?(\w+)", value))
    paths = (path.lstrip("-") for path in options.unit.environment_files)
    return frozenset(path for path in paths if used & variables(options.files.get(path, "")).keys())


def variables(text: str) -> dict[str, str]:
    """NAME -> value of an environment file; the last of two wins."""
    return {stretch.name: text[stretch.start : stretch.end] for stretch in assignments(text)}


def _from_command(options: OptionFiles) -> tuple[Option, ...]:
    value, path = command(options)
    found = [Option(name, given, path) for name, given in pairs(words(value))]
    for file in options.unit.environment_files:
        name = file.lstrip("-")
        for variable, given in variables(options.files.get(name, "")).items():
            if re.search(rf"\$\{{?{variable}\b", value):
                found += [Option(flag, argument, name) for flag, argument in pairs(words(given))]
    return tuple(found)


def _from_json(text: str) -> tuple[Option, ...]:
    document = parsed(text)
    if not isinstance(document, dict):
        return ()
    return tuple(
        Option(name, str(given), DAEMON_JSON)
        for name, value in document.items()
        for given in (value if isinstance(value, list) else [value])
    )


def parsed(text: str) -> Any:
    """daemon.json's content; None when it is none (empty is an empty object, as for the daemon)."""
    try:
        return json.loads(text.lstrip("\ufeff") or "{}")
    except ValueError:
        return None
