"""The Engine's package, by apt under a transient systemd unit: it outlives the connection, and is found again after."""

import time

from imker.failpoints import failpoint
from jobs.connectors import systemd
from jobs.errors import CommandFailed, JobError, TimedOut, Unreachable
from jobs.execute.target import StepTarget

UPGRADE_TIMEOUT = 30 * 60  # seconds an upgrade may take
UNREACHABLE_TIMEOUT = 65  # seconds a host may be away during it before we say so: said, with the last try, within 90
MAX_STARTS = 3  # a unit that is gone without a result went with its host's reboot: so often it is begun
# A package left half-configured is repaired first, and nothing can ask. People's own conffiles stay; only the Engine's
# package gets its maintainer's, which dpkg then leaves beside as .dpkg-dist. dpkg itself does not wait for its lock;
# what apt waits for, it waits 10 minutes for. What cannot be configured may be the very package that is to be
# replaced: apt has the last word on it.
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
  echo "the maintainer's $file is taken"
  [ ! -e "$file" ] || cp -p -- "$file" "$file.dpkg-old"; mv -f -- "$file.dpkg-dist" "$file"
done
"""


def install_packages(target: StepTarget, packages: tuple[str, ...]) -> None:
    """Starts the unit, or joins the one that a cut connection left; raises CommandFailed when apt fails."""
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
            target.on_progress("the host was restarted in the middle of it, or never heard of it; going on")
    raise TimedOut(f"the upgrade on {target.host.name} was cut short {MAX_STARTS} times", host=target.host.name)


def _start_upgrade(target: StepTarget, packages: tuple[str, ...]) -> None:
    """A connection that is lost here leaves open whether the host heard: following the unit shows it."""
    try:
        state = systemd.read_unit_state(target.shell, systemd.UPGRADE_UNIT)
        if state.running or (state.active_state == "active" and state.description == _unit_description(packages)):
            return  # one upgrade at a time, and how just this one ended is still to be looked at
        _discard_earlier_unit(target, state)
        systemd.start_unit(target.shell, systemd.UPGRADE_UNIT, _unit_description(packages), UPGRADE_SCRIPT, *packages)
    except Unreachable:
        _reconnect(target)


def _unit_description(packages: tuple[str, ...]) -> str:
    return f"Imker: {' '.join(packages)}"


def _discard_earlier_unit(target: StepTarget, state: systemd.UnitState) -> None:
    """Makes room for the unit, once the run has heard how an earlier one ended."""
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
        hint = f"Mend what apt says on {target.host.name}; the thread has it."
        raise CommandFailed(target.host.name, "apt-get install", state.exit_status, _error_line(output), hint=hint)


def _error_line(output: str) -> str:
    """apt says what is wrong in lines of their own, and often more after them."""
    error_lines = [line for line in output.splitlines() if line.startswith(("E: ", "dpkg: error", "W: Failed"))]
    return error_lines[0] if error_lines else output


def _follow_unit(target: StepTarget, last_contact: float) -> systemd.UnitState:
    """`heard`: when the host was heard of last, by the monotonic clock."""
    deadline = time.monotonic() + UPGRADE_TIMEOUT
    while time.monotonic() < deadline:
        state = _poll_state(target, last_contact)
        last_contact = time.monotonic()
        if not state.running:
            return state
        time.sleep(0.5)
    raise TimedOut(
        f"the upgrade on {target.host.name} still runs after {UPGRADE_TIMEOUT // 60} minutes", host=target.host.name
    )


def _poll_state(target: StepTarget, last_contact: float) -> systemd.UnitState:
    """The unit's state, through as many new connections as it takes within SILENCE."""
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
    target.on_progress("connection lost; the upgrade goes on there, looking for the host again")
    time.sleep(2)
    try:
        target.shell.reconnect()
    except Unreachable:
        return


def _unreachable_error(target: StepTarget) -> JobError:
    return Unreachable(
        f"{target.host.name} is away since {UNREACHABLE_TIMEOUT} s, in the middle of its upgrade: outcome not known yet",
        host=target.host.name,
        hint="The upgrade goes on there by itself, or was cut short by a restart; it is picked up either way. "
        f"When the host is back: /swarm migrate {target.host.name}",
    )
