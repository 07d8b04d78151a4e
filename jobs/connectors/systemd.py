"""Transient systemd units on a host: start, follow, reset."""

from dataclasses import dataclass

from jobs.connectors.shell import Shell


def parse_properties(text: str) -> dict[str, str]:
    """`systemctl show`: one KEY=VALUE a line; a value may hold `=`; a key that comes again has a further line."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values[key] = f"{values[key]}\n{value}" if key in values else value
    return values


UPGRADE_UNIT = "imker-upgrade.service"


@dataclass(frozen=True)
class UnitState:
    """A transient unit: `active` is "" when there is none; `code`: its exit status once it has ended; `about`: its
    description."""

    active_state: str
    sub_state: str
    exit_status: int
    description: str = ""

    @property
    def running(self) -> bool:
        return self.active_state in ("activating", "active") and self.sub_state != "exited"


def start_unit(shell: Shell, unit: str, description: str, script: str, *arguments: str) -> None:
    """Runs a script under systemd, so that it outlives this connection; its exit status stays until `forget_unit`."""
    start_program(shell, unit, description, "sh", "-c", script, "imker", *arguments)


def start_program(shell: Shell, unit: str, description: str, *argv: str) -> None:
    shell.run(
        "systemd-run",
        f"--unit={unit}",
        f"--description={description}",
        "--property=RemainAfterExit=yes",
        "--property=KillMode=mixed",
        "--setenv=DEBIAN_FRONTEND=noninteractive",
        "--setenv=NEEDRESTART_MODE=l",
        *(word.replace("$", "$$") for word in argv),  # systemd would put its own variables in
        sudo=True,
    )


def read_unit_state(shell: Shell, unit: str) -> UnitState:
    keys = ("LoadState", "ActiveState", "SubState", "ExecMainStatus", "Description")
    values = parse_properties(shell.run("systemctl", "show", unit, *(f"-p{key}" for key in keys)).stdout)
    if values.get("LoadState") == "not-found":
        return UnitState("", "", 0)
    code = int(values.get("ExecMainStatus") or 0)
    return UnitState(values.get("ActiveState", ""), values.get("SubState", ""), code, values.get("Description", ""))


def read_unit_output(shell: Shell, unit: str, lines: int) -> str:
    return shell.run("journalctl", "-u", unit, "-o", "cat", "-n", str(lines), "--no-pager", sudo=True).stdout


def reset_unit(shell: Shell, unit: str) -> None:
    shell.run("systemctl", "stop", unit, sudo=True, check=False)
    shell.run("systemctl", "reset-failed", unit, sudo=True, check=False)
