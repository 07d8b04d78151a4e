"""Read the daemon's option files: unit, drop-ins, environment files, daemon.json, backups. Read-only."""

import re
from collections.abc import Iterable
from dataclasses import replace

from jobs.connectors import systemd
from jobs.connectors.files import list_backups, read_file
from jobs.connectors.shell import Shell, command, script, sudo
from jobs.daemon_options import OptionFiles, UnitFacts, config_file
from jobs.daemon_options.environment_file import variables

DEFAULT_FILES = ("/etc/default/docker", "/etc/docker/daemon.json")
HOSTNAME_FILE = "/proc/sys/kernel/hostname"
UNIT_PROPERTIES = (
    "FragmentPath",
    "DropInPaths",
    "EnvironmentFiles",
    "ExecMainStartTimestampMonotonic",
    "MainPID",
    "ActiveState",
)
# Read both clocks in one command: a delay between two reads would be counted as daemon uptime.
CLOCKS_SCRIPT = "date +%s.%N; cat /proc/uptime"
EXPAND_SCRIPT = 'for file in $1; do [ -e "$file" ] && printf "%s\\n" "$file"; done; true'


def read_options(shell: Shell) -> OptionFiles:
    """Return the daemon's options as they are on disk now."""
    return read_option_files(shell, read_unit(shell))


def read_unit(shell: Shell) -> dict[str, str]:
    """Return properties of docker.service, as `systemctl show` prints them."""
    return systemd.parse_properties(
        shell.run(command("systemctl", "show", "docker.service", *(f"-p{name}" for name in UNIT_PROPERTIES))).stdout
    )


def read_option_files(shell: Shell, unit: dict[str, str]) -> OptionFiles:
    """Return the files that `unit` (from `read_unit`) reads, and the options of the running daemon."""
    environment = tuple(
        file for line in unit.get("EnvironmentFiles", "").splitlines() for file in _expand_pattern(shell, line)
    )
    drop_ins = tuple(unit.get("DropInPaths", "").split())
    fragment = unit.get("FragmentPath", "")
    paths = dict.fromkeys((fragment, *drop_ins, *(path.lstrip("-") for path in environment), *DEFAULT_FILES))
    files = _read_files(shell, paths)
    pid = unit.get("MainPID", "0")
    line = read_file(shell, f"/proc/{pid}/cmdline") if pid != "0" else None
    options = OptionFiles(
        unit=UnitFacts(fragment, drop_ins, environment),
        files=files,
        command_line=tuple((line or "").split("\0")[:-1]),
        hostname=(read_file(shell, HOSTNAME_FILE) or "").strip(),
    )
    files = {**_read_files(shell, [config_file(options)]), **files}
    return replace(options, files=files, saved=_read_saved_copies(shell, files))


def _read_files(shell: Shell, paths: Iterable[str]) -> dict[str, str]:
    return {path: text for path in paths if path and (text := read_file(shell, path)) is not None}


def _expand_pattern(shell: Shell, environment_file: str) -> tuple[str, ...]:
    """Return the paths of a pattern such as "/etc/default/d* (ignore_errors=yes)", with "-" for ignored errors."""
    path, _, ignore = environment_file.rpartition(" (ignore_errors=")
    pattern = re.search(r"[*?[]", path)
    paths = shell.run(sudo(*script(EXPAND_SCRIPT, path))).stdout.splitlines() if pattern else [path]
    return tuple(f"-{file_path}" if ignore.startswith("yes") else file_path for file_path in paths)


def _read_saved_copies(shell: Shell, paths: Iterable[str]) -> dict[str, str]:
    """Return Imker's backup of each file that has one: the newest one with options in it, else the newest."""
    saved = {}
    for path in paths:
        texts = [read_file(shell, copy) or "" for copy in reversed(list_backups(shell, path))]
        if texts:
            saved[path] = next(filter(variables, texts), texts[0])
    return saved


def changed_since_start(shell: Shell, options: OptionFiles, unit: dict[str, str]) -> bool:
    """Return whether an option file was modified after the daemon started, both by the host's own clock."""
    started_after_boot = int(unit.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
    now, uptime = shell.run(command("sh", "-c", CLOCKS_SCRIPT)).stdout.split()[:2]
    started_at = float(now) - float(uptime) + started_after_boot
    times = shell.run(sudo("stat", "-c", "%.Y", "--", *options.files)).stdout.split() if options.files else []
    return any(float(modified_at) > started_at for modified_at in times)
