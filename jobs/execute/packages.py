"""Install packages with apt in a transient systemd unit, which survives a lost connection and is found again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from imker.failpoints import failpoint
from imker.protocol.commands import Migrate
from imker.protocol.next_command import NextCommand
from jobs.connectors import files, systemd
from jobs.connectors.script_files import load_script
from jobs.connectors.shell import Command, script, sudo
from jobs.errors import CommandFailed, JobError, TimedOut, Unreachable
from jobs.execute.target import StepTarget

UPGRADE_TIMEOUT = 30 * 60  # seconds
UNREACHABLE_TIMEOUT = 65  # seconds; with the last attempt, an unreachable host is reported within 90
MAX_STARTS = 3  # a transient unit disappears when the host reboots; start it up to this many times
OUTPUT_LINES = 60  # of apt's output in the thread
PROGRESS_INTERVAL = 0.5  # seconds between two progress texts
EARLIER_UNIT_EXIT = 65  # another upgrade has ended in the unit, and its result was not read


@dataclass(frozen=True)
class FollowedUnit:
    """A unit's state, and the last lines that it printed."""

    state: systemd.UnitState
    output: str = ""


def install_packages(
    target: StepTarget, packages: tuple[str, ...], conffile: str = "", old_packages: tuple[str, ...] = ()
) -> str:
    """Install the packages ("name=version"), or follow a unit that already runs. Raise CommandFailed if apt fails.

    First back up the conffile and record the old packages. Return the conffile's text afterwards.
    """
    starts = 0
    while starts < MAX_STARTS:
        last_contact = time.monotonic()
        _start_upgrade(target, packages, conffile, old_packages)
        failpoint("upgrade.started")
        unit = _follow_unit(target, last_contact)
        if unit.state.description == _unit_description(packages):
            return _collect_result(target, unit, conffile)
        if not unit.state.active_state:
            starts += 1
            target.on_progress("the host rebooted, or never received the command; starting the upgrade again")
    raise TimedOut(f"the upgrade on {target.host.name} was interrupted {MAX_STARTS} times", host=target.host.name)


def _start_upgrade(target: StepTarget, packages: tuple[str, ...], conffile: str, old_packages: tuple[str, ...]) -> None:
    """Start the unit. After a lost connection, following the unit shows whether the host received the command."""
    copied = "" if conffile in target.backed_up else conffile
    start = _start_command(packages, copied, old_packages)
    try:
        output = target.shell.run(replace(start, check=False))
        if output.code == EARLIER_UNIT_EXIT:
            _discard_earlier_unit(target)
            output = target.shell.run(replace(start, check=False))
    except Unreachable:
        return _reconnect(target)
    output.check(target.host.name, start)
    target.backed_up.update({copied} - {""})
    return None


def _start_command(packages: tuple[str, ...], conffile: str, old_packages: tuple[str, ...]) -> Command:
    """Return the command that saves what to go back to, and starts the unit unless it runs or has ended already."""
    unit_words = systemd.unit_words(*script(load_script("upgrade"), *packages))
    start = script(
        load_script("backup", "start_upgrade"),
        *(systemd.UPGRADE_UNIT, _unit_description(packages), files.backup_suffix(), files.ROLLBACK_FILE),
        *(conffile, "\n".join(old_packages)),
        *unit_words,
    )
    return sudo(*start, title="systemd-run")


def _unit_description(packages: tuple[str, ...]) -> str:
    return f"Imker: {' '.join(packages)}"


def _discard_earlier_unit(target: StepTarget) -> None:
    """Report the result of an earlier unit, then reset it."""
    state = systemd.read_unit_state(target.shell, systemd.UPGRADE_UNIT)
    if state.active_state:
        output = systemd.read_unit_output(target.shell, systemd.UPGRADE_UNIT, OUTPUT_LINES)
        target.on_output(f"apt on {target.host.name}, exit {state.exit_status}: {state.description}", output)
    systemd.reset_unit(target.shell, systemd.UPGRADE_UNIT)


def _collect_result(target: StepTarget, unit: FollowedUnit, conffile: str) -> str:
    """Report and reset a unit that has ended, and return the conffile's text. Raise CommandFailed if apt failed."""
    target.on_output(f"apt on {target.host.name}", unit.output)
    failpoint("upgrade.finished")
    text = systemd.end_unit(target.shell, systemd.UPGRADE_UNIT, conffile)
    if unit.state.exit_status:
        hint = f"Fix the problem on {target.host.name}. The thread has the output of apt."
        error = _error_line(unit.output)
        raise CommandFailed(target.host.name, "apt-get install", unit.state.exit_status, error, hint=hint)
    return text


def _error_line(output: str) -> str:
    """Return apt's first error line, as more output often follows it."""
    error_lines = [line for line in output.splitlines() if line.startswith(("E: ", "dpkg: error", "W: Failed"))]
    return error_lines[0] if error_lines else output


def _follow_unit(target: StepTarget, last_contact: float) -> FollowedUnit:
    """Follow the unit until it has ended. `last_contact`: monotonic time of the host's last answer."""
    deadline = time.monotonic() + UPGRADE_TIMEOUT
    while time.monotonic() < deadline:
        unit = _follow_once(target, last_contact)
        last_contact = time.monotonic()
        if not unit.state.running:
            return unit
    raise TimedOut(
        f"the upgrade on {target.host.name} is still running after {UPGRADE_TIMEOUT // 60} minutes",
        host=target.host.name,
    )


def _follow_once(target: StepTarget, last_contact: float) -> FollowedUnit:
    """Follow the unit for some seconds. Reconnect as often as needed within UNREACHABLE_TIMEOUT."""
    contact = Contact(target.on_progress, last_contact)
    while True:
        try:
            return FollowedUnit(
                *systemd.follow_unit(target.shell, systemd.UPGRADE_UNIT, OUTPUT_LINES, contact.report_line)
            )
        except Unreachable as error:
            if time.monotonic() - contact.last_at > UNREACHABLE_TIMEOUT:
                raise _unreachable_error(target) from error
            _reconnect(target)


@dataclass
class Contact:
    """Report the lines that a host sends, a few in a second. `last_at`: monotonic time of the host's last answer."""

    on_progress: Callable[[str], None]
    last_at: float
    reported_at: float = 0.0

    def report_line(self, line: str) -> None:
        self.last_at = time.monotonic()
        if self.last_at - self.reported_at >= PROGRESS_INTERVAL:
            self.reported_at = self.last_at
            self.on_progress(line.strip())


def _reconnect(target: StepTarget) -> None:
    target.on_progress("connection lost; the upgrade continues on the host; reconnecting")
    time.sleep(2)
    try:
        target.shell.reconnect()
    except Unreachable:
        return


def _unreachable_error(target: StepTarget) -> JobError:
    return Unreachable(
        f"{target.host.name} became unreachable during its upgrade, for {UNREACHABLE_TIMEOUT} s; outcome unknown",
        host=target.host.name,
        hint="The upgrade may still be running on the host.",
        next_commands=(NextCommand(Migrate(target.host.name), "continue when the host is reachable again"),),
    )
