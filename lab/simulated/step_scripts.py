"""The scripts of a migration's steps on a simulated host: their effects, one after the other as on a real host."""

import hashlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from lab.simulated import docker_cli, scripts, system_tools
from lab.simulated.machine import Machine
from lab.simulated.output import Output

BYTE_ERRORS = "surrogateescape"  # keeps bytes that are not UTF-8
POLL_INTERVAL = 0.01  # seconds


@dataclass(frozen=True)
class ExpectedFile:
    """A file for the script that changes files, as its four words. `digest`: "none" if it has to be missing."""

    path: str
    digest: str
    mode: str
    bytes: str

    @property
    def length(self) -> int:
        return int(self.bytes)


def change_files(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Compare all files, back them up, and write them."""
    _, _, suffix, record, *words = rest
    files = [ExpectedFile(*words[start : start + 4]) for start in range(0, len(words), 4)]
    for file in files:
        if _digest(machine, file.path) != file.digest:
            return Output(65, "", f"imker-changed {file.path}\n")
    for file in files:
        if file.mode == "save":
            back_up(machine, file.path, suffix, record)
    text, ends = stdin.encode(errors=BYTE_ERRORS), list(itertools.accumulate(file.length for file in files))
    for file, end in zip(files, ends, strict=True):
        if end > len(text):
            return Output(1, "", f"{file.path}: the new text is incomplete\n")
        machine.disk.write(file.path, text[end - file.length : end].decode(errors=BYTE_ERRORS))
    return Output()


def _digest(machine: Machine, path: str) -> str:
    text = machine.disk.texts.get(path)
    return "none" if text is None else hashlib.sha256(text.encode(errors=BYTE_ERRORS)).hexdigest()


def save_copy(machine: Machine, rest: list[str], stdin: str) -> Output:
    back_up(machine, *rest[2:])
    return Output()


def back_up(machine: Machine, path: str, suffix: str, record: str) -> None:
    """Copy a file, and record its first copy in a migration."""
    if path not in machine.disk.texts:
        return
    machine.disk.copy(path, f"{path}.imker-{suffix}")
    if not any(line.startswith(f"{path}.imker-") for line in machine.disk.texts.get(record, "").splitlines()):
        _append(machine, record, f"{path}.imker-{suffix}\n")


def _append(machine: Machine, path: str, text: str) -> None:
    machine.disk.write(path, machine.disk.texts.get(path, "") + text)


def restore_copy(machine: Machine, rest: list[str], stdin: str) -> Output:
    machine.disk.copy(rest[2], rest[3])
    return Output()


# --- the upgrade's unit ----------------------------------------------------------------------------------------------


def start_upgrade(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Save what to go back to, and start the unit, unless it runs or has ended with the same description."""
    unit_name, description, suffix, record, file, packages, *words = rest[2:]
    if file:
        back_up(machine, file, suffix, record)
    if packages and not any(line[:1] not in ("", "/") for line in machine.disk.texts.get(record, "").splitlines()):
        _append(machine, record, f"{packages}\n")
    unit = machine.units.get(unit_name)
    if unit is None:
        named_words = [f"--unit={unit_name}", f"--description={description}", *words]
        return scripts.start_transient_unit(machine, named_words, stdin)
    has_result = unit.sub_state == "exited" and unit.description == description
    return Output() if unit.sub_state == "running" or has_result else Output(65)


def follow_unit(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Print what the unit prints, until it has ended or the time is up; then its state and its last lines."""
    name, seconds, lines, *keys = rest[2:]

    def end() -> Output:
        state = system_tools.show_unit(machine, [name, *keys], "").stdout
        return Output(0, f"{state}\n{system_tools.print_journal(machine, [name, '-n', lines], '').stdout}")

    return Output(lines=_new_lines(machine, name, float(seconds)), end=end)


def _new_lines(machine: Machine, name: str, seconds: float) -> Iterator[str]:
    deadline, unit = time.monotonic() + seconds, machine.units.get(name)
    printed = max(0, len(unit.output) - 1) if unit else 0
    while machine.units.is_running(name) and unit and time.monotonic() < deadline:
        yield from (f"{line}\n" for line in unit.output[printed:])
        printed = len(unit.output)
        time.sleep(POLL_INTERVAL)


def end_unit(machine: Machine, rest: list[str], stdin: str) -> Output:
    _, _, unit, file = rest
    machine.units.stop(unit)
    machine.units.reset_failed(unit)
    return Output(0, machine.disk.texts.get(file, ""))


# --- the Engine and its containers -----------------------------------------------------------------------------------


def restart_validated(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Save the names of the running containers, validate the options, and restart the daemon."""
    _, _, file, mode, *flags = rest
    if not _is_complete(stdin):
        return Output(1, "", "the list of names is incomplete\n")
    with machine.lock:
        if mode == "replace" or file not in machine.disk.texts:
            machine.disk.write(file, stdin[:-1])
    output = docker_cli.validate_options(machine, flags, "")
    if output.exit_status and "unknown flag: --validate" not in output.stderr:
        return Output(65, "", output.stderr)
    return restart_daemon(machine, rest, stdin)


def restart_daemon(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Restart the daemon. Whether it starts is not part of the result."""
    machine.dockerd.restart()
    return Output()


def start_containers(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Start the containers that do not run, print the names of those that run, and remove files."""
    if not _is_complete(stdin):
        return Output(1, "", "the list of names is incomplete\n")
    for _ in range(2):
        running = docker_cli.list_containers(machine, [], "")
        if running.exit_status:
            return running
        for name in set(stdin[:-1].split()) - set(running.stdout.split()):
            docker_cli.start_containers(machine, [name], "")
    system_tools.remove_files(machine, rest[3:], "")
    return docker_cli.list_containers(machine, [], "")


def stop_store(machine: Machine, rest: list[str], stdin: str) -> Output:
    failed = docker_cli.update_restart_policy(machine, ["--restart=no", rest[2]], "")
    return failed if failed.exit_status else docker_cli.stop_containers(machine, [rest[2]], "")


def _is_complete(names: str) -> bool:
    """Return whether the last line of the names is the dot that ends them."""
    return names.rpartition("\n")[2] == "."
