"""Start, read, and reset transient systemd units on a host."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jobs.connectors.script_files import load_script
from jobs.connectors.shell import Shell, command, script, sudo
from jobs.facts.unit_properties import parse_properties

UPGRADE_UNIT = "imker-upgrade.service"
UNIT_OPTIONS = (
    "--property=RemainAfterExit=yes",
    "--property=KillMode=mixed",
    "--setenv=DEBIAN_FRONTEND=noninteractive",
    "--setenv=NEEDRESTART_MODE=l",
)
STATE_ARGUMENTS = ("-pLoadState", "-pActiveState", "-pSubState", "-pExecMainStatus", "-pDescription")
FOLLOW_SECONDS = 10  # of one command that follows a unit; then another one follows it


@dataclass(frozen=True)
class UnitState:
    """The state of a transient unit. `active_state`: "" if there is none; `exit_status`: after it has finished."""

    active_state: str
    sub_state: str
    exit_status: int
    description: str = ""

    @property
    def running(self) -> bool:
        return self.active_state in ("activating", "active") and self.sub_state != "exited"


def program_command(unit: str, description: str, *argv: str) -> tuple[str, ...]:
    """Return the command that runs a program in a unit, which survives this connection."""
    return ("systemd-run", f"--unit={unit}", f"--description={description}", *unit_words(*argv))


def unit_words(*argv: str) -> tuple[str, ...]:
    """Return the arguments of systemd-run for a program. systemd would replace its own variables in them."""
    return (*UNIT_OPTIONS, *(word.replace("$", "$$") for word in argv))


def read_unit_state(shell: Shell, unit: str) -> UnitState:
    """Return the unit's state."""
    return _parse_state(shell.run(command("systemctl", "show", unit, *STATE_ARGUMENTS)).stdout)


def _parse_state(text: str) -> UnitState:
    values = parse_properties(text)
    if values.get("LoadState") == "not-found":
        return UnitState("", "", 0)
    code = int(values.get("ExecMainStatus") or 0)
    return UnitState(values.get("ActiveState", ""), values.get("SubState", ""), code, values.get("Description", ""))


def read_unit_output(shell: Shell, unit: str, lines: int) -> str:
    """Return the last lines that the unit printed."""
    return shell.run(sudo("journalctl", "-u", unit, "-o", "cat", "-n", str(lines), "--no-pager")).stdout


def follow_unit(shell: Shell, unit: str, lines: int, on_line: Callable[[str], None]) -> tuple[UnitState, str]:
    """Follow a unit until it has ended, or for FOLLOW_SECONDS. Return its state and its last lines.

    `on_line` gets the last line of its output, as it comes. Nothing is changed.
    """
    text = load_script("follow_unit")
    words = script(text, unit, str(FOLLOW_SECONDS), str(lines), *STATE_ARGUMENTS)
    follow = sudo(*words, title="following the unit", timeout=FOLLOW_SECONDS + 20)
    output = shell.run(replace(follow, read_only=True, on_line=on_line)).stdout
    properties, _, last_lines = output.partition("\n\n")
    return _parse_state(properties), last_lines


def reset_unit(shell: Shell, unit: str) -> None:
    """Stop the unit and forget its exit status."""
    end_unit(shell, unit, "")


def end_unit(shell: Shell, unit: str, file: str) -> str:
    """Reset the unit as `reset_unit` does, and return the text of a file: "" for none, or if it does not exist."""
    end = sudo(*script(load_script("end_unit"), unit, file), title="systemctl stop")
    return shell.run(end).lossless_stdout
