"""Build the daemon's option files from the sections that a host printed. Pure."""

import re
from collections.abc import Iterator
from dataclasses import replace

from jobs.daemon_options import OptionFiles, UnitFacts, config_file, daemon_json
from jobs.daemon_options.environment_file import variables
from jobs.facts.sections import MalformedAnswer, Sections
from jobs.facts.unit_properties import parse_properties

FILE, MODIFIED, PATHS = "file ", "modified ", "paths "  # beginnings of section names; a path or a pattern follows
NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


def build_option_files(sections: Sections) -> OptionFiles:
    """Return the files that systemd and the daemon read, and the options of the running daemon."""
    unit = parse_properties(sections["unit"].text)
    files = {path: text for path in _option_paths(sections) if (text := _read(sections, path)) is not None}
    options = OptionFiles(
        unit=UnitFacts(
            unit.get("FragmentPath", ""),
            tuple(unit.get("DropInPaths", "").split()),
            tuple(
                file for line in unit.get("EnvironmentFiles", "").splitlines() for file in _expand_line(sections, line)
            ),
        ),
        files=files,
        command_line=tuple((sections["command_line"].file_text or "").split("\0")[:-1]),
        saved={path: text for path in files if (text := _newest_backup(sections, path)) is not None},
        hostname=(sections["hostname"].file_text or "").strip(),
    )
    config = config_file(options)
    first = {config: files[config]} if config in files else {}
    return replace(options, files={**first, **files})


def find_missing_config(options: OptionFiles) -> str:
    """Return the path of daemon.json if an option names another one, which was not read yet. Otherwise ""."""
    path = config_file(options)
    return "" if path == daemon_json.PATH or path in options.files else path


def changed_since_start(options: OptionFiles, sections: Sections) -> bool:
    """Return whether an option file was modified after the daemon started, both by the host's own clock."""
    now, uptime = (*map(_parse_number, sections["clocks"].text.split()[:2]), 0.0, 0.0)[:2]
    unit = parse_properties(sections["unit"].text)
    started_after_boot = _parse_number(unit.get("ExecMainStartTimestampMonotonic") or "0") / 1e6
    times = (section for path in options.files if (section := sections.get(f"{MODIFIED}{path}")))
    return any(_parse_number(item.text) > now - uptime + started_after_boot for item in times if item.status == 0)


def _option_paths(sections: Sections) -> Iterator[str]:
    """Yield the paths of the option files, without their backups, which have no modification time."""
    return (name.removeprefix(MODIFIED) for name in sections if name.startswith(MODIFIED))


def _read(sections: Sections, path: str) -> str | None:
    section = sections.get(f"{FILE}{path}")
    return section.file_text if section else None


def _expand_line(sections: Sections, environment_file: str) -> tuple[str, ...]:
    """Return the paths of a pattern such as "/etc/default/d* (ignore_errors=yes)", with "-" for ignored errors."""
    path, _, ignore = environment_file.rpartition(" (ignore_errors=")
    pattern = sections.get(f"{PATHS}{path}")
    paths = pattern.text.splitlines() if pattern else [path]
    return tuple(f"-{file_path}" if ignore.startswith("yes") else file_path for file_path in paths)


def _newest_backup(sections: Sections, path: str) -> str | None:
    """Return Imker's backup of a file: the newest one with options in it, else the newest. None if there is none."""
    copies = sorted((name for name in sections if name.startswith(f"{FILE}{path}.imker-")), reverse=True)
    texts = [sections[name].file_text or "" for name in copies]
    return next(filter(variables, texts), texts[0]) if texts else None


def _parse_number(text: str) -> float:
    match = NUMBER.fullmatch(text.strip())
    if not match:
        raise MalformedAnswer("an invalid number")
    return float(match[0])
