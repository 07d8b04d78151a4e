"""Compute the options of the daemon's next start, each with the file that it comes from. Pure."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from jobs.daemon_options import daemon_json
from jobs.daemon_options.commands import EXEC, Command, commands, is_unit
from jobs.daemon_options.environment_file import PARSED_FILES, variables
from jobs.daemon_options.flags import Flag, flags
from jobs.daemon_options.mapped_text import map_text
from jobs.daemon_options.model import Option, OptionFiles
from jobs.daemon_options.words import words

# Where the docker command looks for the daemon. /var/run is a link to /run.
LOCAL_ADDRESSES = ("unix://", "unix:///var/run/docker.sock", "unix:///run/docker.sock")
Given = tuple[str, str]  # (word or value, path of its file)


def effective(options: OptionFiles) -> tuple[Option, ...]:
    """Return the options of the command that systemd would run, with its variables expanded, and of daemon.json."""
    words_and_files = _expanded_words(options)
    parsed_flags = tuple(flags([word for word, _ in words_and_files]))
    path = _config_path(parsed_flags)
    json = _json_options(path, options.files.get(path, ""))
    return (*(Option(flag.name, flag.value, words_and_files[flag.first][1]) for flag in parsed_flags), *json)


def argv(options: OptionFiles) -> tuple[str, ...]:
    """Return the arguments of the daemon's next start, with variables expanded, without the program."""
    return tuple(word for word, _ in _expanded_words(options))


def config_file(options: OptionFiles) -> str:
    """Return the path of daemon.json, or the path that --config-file names."""
    return _config_path(flags(argv(options)))


def _config_path(parsed_flags: Iterable[Flag]) -> str:
    return next((flag.value for flag in parsed_flags if flag.name == "config-file" and flag.value), daemon_json.PATH)


def listens_tcp(options: OptionFiles) -> bool:
    """Return whether the daemon would listen on TCP."""
    return any(host.startswith("tcp://") for host in _listen_addresses(options))


def listens_locally(options: OptionFiles) -> bool:
    """Return whether the daemon would listen on the socket where the docker command looks for it."""
    addresses = _listen_addresses(options)
    return not addresses or any(address.startswith("fd://") or address in LOCAL_ADDRESSES for address in addresses)


def _listen_addresses(options: OptionFiles) -> tuple[str, ...]:
    return tuple(option.value for option in effective(options) if option.name in ("H", "host", "hosts"))


def command(options: OptionFiles) -> tuple[Command | None, str]:
    """Return (ExecStart, path of its file): the last one that is not reset, in the unit or its drop-ins."""
    latest: tuple[Command | None, str] = (None, "")
    for path, candidate in _unit_commands(options):
        if candidate.name == EXEC:
            latest = (candidate, path) if candidate.words else (None, "")
    return latest


def used_environment_files(options: OptionFiles) -> frozenset[str]:
    """Return the environment files that the unit reads and uses: those with a variable of its command."""
    start, _ = command(options)
    used = set(re.findall(r"\$\{?(\w+)", start.outer.text if start else ""))
    paths = (path.lstrip("-") for path in options.unit.environment_files)
    return frozenset(path for path in paths if used & variables(options.files.get(path, "")).keys())


def _expanded_words(options: OptionFiles) -> list[Given]:
    start, path = command(options)
    values = _unit_variables(options)
    expanded: list[Given] = []
    for word in start.options if start else ():
        expanded += _expand_variables(_expand_specifiers(word.text, options.hostname), path, values)
    return expanded


def _expand_variables(word: str, path: str, values: dict[str, Given]) -> list[Given]:
    """Expand variables: a separate $NAME is split into words, ${NAME} is not; $$ is a dollar sign."""
    if re.fullmatch(r"\$\w+", word):
        value, file = values.get(word[1:], ("", path))
        return [(inner, file) for inner in _split(value)]
    expanded = re.sub(r"\$(?:\$|\{(\w+)\})", lambda name: values.get(name[1], ("", ""))[0] if name[1] else "$", word)
    return [(expanded, path)]


@lru_cache(PARSED_FILES)
def _split(value: str) -> tuple[str, ...]:
    return tuple(word.text for word in words(map_text(value, 0, len(value)), codes=False))


def _unit_variables(options: OptionFiles) -> dict[str, Given]:
    """Return the variables of the unit and then of its environment files. Later ones override earlier ones."""
    variables_by_name: dict[str, Given] = {}
    for path, assignment in _unit_commands(options):
        if assignment.name != EXEC:
            variables_by_name[assignment.name] = (_expand_specifiers(assignment.outer.text, options.hostname), path)
    for file in options.unit.environment_files:
        path = file.lstrip("-")
        variables_by_name |= {name: (value, path) for name, value in variables(options.files.get(path, "")).items()}
    return variables_by_name


def _unit_commands(options: OptionFiles) -> Iterator[tuple[str, Command]]:
    for path in (options.unit.fragment_path, *options.unit.drop_in_paths):
        text = options.files.get(path, "")
        yield from ((path, item) for item in (commands(text) if is_unit(text) else ()))


def _expand_specifiers(text: str, hostname: str) -> str:
    """Expand those specifiers of systemd that are known here. Others are unchanged."""
    values = {"%": "%", "n": "docker.service", "N": "docker", "p": "docker", "i": "", "H": hostname}
    return re.sub(r"%(.)", lambda match: values.get(match[1], match[0]), text)


def _json_options(path: str, text: str) -> Iterator[Option]:
    document = daemon_json.parse(text)
    for name, value in document.items() if isinstance(document, dict) else ():
        for item in value if isinstance(value, list) and value else [value]:
            yield Option(name, str(item), path, in_json=True)
