"""Start, read, and reset transient systemd units on a host."""

from dataclasses import dataclass

from jobs.connectors.shell import Shell, command, script, sudo
from jobs.facts.unit_properties import parse_properties

UPGRADE_UNIT = "imker-upgrade.service"
UNIT_OPTIONS = (
    "--property=RemainAfterExit=yes",
    "--property=KillMode=mixed",
    "--setenv=DEBIAN_FRONTEND=noninteractive",
    "--setenv=NEEDRESTART_MODE=l",
)


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


def start_unit(shell: Shell, unit: str, description: str, script_text: str, *arguments: str) -> None:
    """Run a script in a unit that survives this connection. Its exit status is kept until `reset_unit`."""
    start_program(shell, unit, description, *script(script_text, *arguments))


def start_program(shell: Shell, unit: str, description: str, *argv: str) -> None:
    """Run a program in a unit, as `start_unit` does."""
    shell.run(sudo(*program_command(unit, description, *argv)))


def program_command(unit: str, description: str, *argv: str) -> tuple[str, ...]:
    """Return the command that runs a program in a unit."""
    words = (word.replace("$", "$$") for word in argv)  # systemd would replace its own variables
    return ("systemd-run", f"--unit={unit}", f"--description={description}", *UNIT_OPTIONS, *words)


def read_unit_state(shell: Shell, unit: str) -> UnitState:
    """Return the unit's state."""
    keys = ("LoadState", "ActiveState", "SubState", "ExecMainStatus", "Description")
    values = parse_properties(shell.run(command("systemctl", "show", unit, *(f"-p{key}" for key in keys))).stdout)
    if values.get("LoadState") == "not-found":
        return UnitState("", "", 0)
    code = int(values.get("ExecMainStatus") or 0)
    return UnitState(values.get("ActiveState", ""), values.get("SubState", ""), code, values.get("Description", ""))


def read_unit_output(shell: Shell, unit: str, lines: int) -> str:
    """Return the last lines that the unit printed."""
    return shell.run(sudo("journalctl", "-u", unit, "-o", "cat", "-n", str(lines), "--no-pager")).stdout


def reset_unit(shell: Shell, unit: str) -> None:
    """Stop the unit and forget its exit status."""
    shell.run(sudo("systemctl", "stop", unit, check=False))
    shell.run(sudo("systemctl", "reset-failed", unit, check=False))
