"""Read the daemon's option files: unit, drop-ins, environment files, daemon.json, backups. Read-only."""

from jobs.connectors.shell import Shell
from jobs.daemon_options import OptionFiles, effective
from jobs.facts.environment import TLS_FILE_OPTIONS
from jobs.facts.option_files import build_option_files, find_missing_config
from jobs.facts.sections import Sections
from jobs.gather.host_script import NAMED_FILES, OPTIONS, read_sections


def read_options(shell: Shell) -> OptionFiles:
    """Return the daemon's options as they are on disk now."""
    return complete_options(shell, read_sections(shell, OPTIONS))


def complete_options(shell: Shell, sections: Sections) -> OptionFiles:
    """Return the options in these sections. Read daemon.json with a second command if an option names another file."""
    options = build_option_files(sections)
    return build_option_files(add_named_files(shell, sections)) if find_missing_config(options) else options


def add_named_files(shell: Shell, sections: Sections) -> Sections:
    """Return the sections with those of the files that options name: daemon.json if it is elsewhere, and TLS files."""
    options = build_option_files(sections)
    config, files = find_missing_config(options), _tls_files(options)
    complete = {**sections, **_read_named_files(shell, config, files)}
    named_in_config = _tls_files(build_option_files(complete))
    return {**complete, **_read_named_files(shell, "", named_in_config)} if named_in_config != files else complete


def _tls_files(options: OptionFiles) -> tuple[str, ...]:
    values = {option.name: option.value for option in effective(options)}
    return tuple(values.get(name, "") for name in TLS_FILE_OPTIONS)


def _read_named_files(shell: Shell, config: str, tls_files: tuple[str, ...]) -> Sections:
    return read_sections(shell, NAMED_FILES, arguments=(config, *tls_files))
