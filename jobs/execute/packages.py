"""Install packages with apt in a transient systemd unit, which survives a lost connection and is found again."""

import time

from imker.failpoints import failpoint
from imker.protocol.commands import Migrate
from imker.protocol.next_command import NextCommand
from jobs.connectors import systemd
from jobs.errors import CommandFailed, JobError, TimedOut, Unreachable
from jobs.execute.target import StepTarget

UPGRADE_TIMEOUT = 30 * 60  # seconds
UNREACHABLE_TIMEOUT = 65  # seconds; with the last attempt, an unreachable host is reported within 90
MAX_STARTS = 3  # a transient unit disappears when the host reboots; start it up to this many times
# The script first repairs half-configured packages, without prompts. Modified conffiles are kept. Only those of the
# Engine's package are replaced by the maintainer's, which dpkg leaves as .dpkg-dist. dpkg does not wait for its lock,
# so the script does; apt waits 10 minutes. A package that cannot be configured may be the one to replace: apt decides.
UPGRADE_SCRIPT = """
tries=0 began=$(mktemp); trap 'rm -f "$began"' EXIT
until said=$(dpkg --force-confold --configure -a 2>&1); do
  tries=$((tries + 1))
  case $said in *lock*) ;; *) echo "$said"; break ;; esac
  [ $tries -lt 120 ] || { echo "$said"; exit 1; }
  echo "waiting for dpkg's lock"; sleep 5
done
set -e
apt-get -q update -o DPkg::Lock::Timeout=600 -o APT::Update::Error-Mode=any
apt-get -q install -y --allow-downgrades --no-install-recommends \\
  -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -- "$@"
dpkg-query -W -f '${Conffiles}\\n' "${1%%=*}" | while read -r file _; do
  [ -n "$(find "$file.dpkg-dist" -newercc "$began" 2>/dev/null)" ] || continue
  echo "replaced $file with the maintainer's version"
  [ ! -e "$file" ] || cp -p -- "$file" "$file.dpkg-old"; mv -f -- "$file.dpkg-dist" "$file"
done
"""


def install_packages(target: StepTarget, packages: tuple[str, ...]) -> None:
    """Install the packages ("name=version"), or follow a unit that already runs. Raise CommandFailed if apt fails."""
    starts = 0
    while starts < MAX_STARTS:
        last_contact = time.monotonic()
        _start_upgrade(target, packages)
        failpoint("upgrade.started")
        state = _follow_unit(target, last_contact)
        if state.description == _unit_description(packages):
            return _collect_result(target, state)
        if not state.active_state:
            starts += 1
            target.on_progress("the host rebooted, or never received the command; starting the upgrade again")
    raise TimedOut(f"the upgrade on {target.host.name} was interrupted {MAX_STARTS} times", host=target.host.name)


def _start_upgrade(target: StepTarget, packages: tuple[str, ...]) -> None:
    """Start the unit. After a lost connection, following the unit shows whether the host received the command."""
    try:
        state = systemd.read_unit_state(target.shell, systemd.UPGRADE_UNIT)
        if state.running or (state.active_state == "active" and state.description == _unit_description(packages)):
            return  # one upgrade at a time; the result of this one is read later
        _discard_earlier_unit(target, state)
        systemd.start_unit(target.shell, systemd.UPGRADE_UNIT, _unit_description(packages), UPGRADE_SCRIPT, *packages)
    except Unreachable:
        _reconnect(target)


def _unit_description(packages: tuple[str, ...]) -> str:
    return f"Imker: {' '.join(packages)}"


def _discard_earlier_unit(target: StepTarget, state: systemd.UnitState) -> None:
    """Report the result of an earlier unit, then reset it."""
    if state.active_state:
        _report_output(target, f", exit {state.exit_status}: {state.description}")
    systemd.reset_unit(target.shell, systemd.UPGRADE_UNIT)


def _report_output(target: StepTarget, suffix: str = "") -> str:
    output = systemd.read_unit_output(target.shell, systemd.UPGRADE_UNIT, 60)
    target.on_output(f"apt on {target.host.name}{suffix}", output)
    return output


def _collect_result(target: StepTarget, state: systemd.UnitState) -> None:
    output = _report_output(target)
    failpoint("upgrade.finished")
    systemd.reset_unit(target.shell, systemd.UPGRADE_UNIT)
    if state.exit_status:
        hint = f"Fix the problem on {target.host.name}. The thread has the output of apt."
        raise CommandFailed(target.host.name, "apt-get install", state.exit_status, _error_line(output), hint=hint)


def _error_line(output: str) -> str:
    """Return apt's first error line, as more output often follows it."""
    error_lines = [line for line in output.splitlines() if line.startswith(("E: ", "dpkg: error", "W: Failed"))]
    return error_lines[0] if error_lines else output


def _follow_unit(target: StepTarget, last_contact: float) -> systemd.UnitState:
    """Poll until the unit has finished. `last_contact`: monotonic time of the host's last answer."""
    deadline = time.monotonic() + UPGRADE_TIMEOUT
    while time.monotonic() < deadline:
        state = _poll_state(target, last_contact)
        last_contact = time.monotonic()
        if not state.running:
            return state
        time.sleep(0.5)
    raise TimedOut(
        f"the upgrade on {target.host.name} is still running after {UPGRADE_TIMEOUT // 60} minutes",
        host=target.host.name,
    )


def _poll_state(target: StepTarget, last_contact: float) -> systemd.UnitState:
    """Return the unit's state. Reconnect as often as needed within UNREACHABLE_TIMEOUT."""
    while True:
        try:
            state = systemd.read_unit_state(target.shell, systemd.UPGRADE_UNIT)
            last = systemd.read_unit_output(target.shell, systemd.UPGRADE_UNIT, 1).strip()
        except Unreachable as error:
            if time.monotonic() - last_contact > UNREACHABLE_TIMEOUT:
                raise _unreachable_error(target) from error
            _reconnect(target)
        else:
            target.on_progress(last)
            return state


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
