"""The Engine's package, by apt under a transient systemd unit: it outlives the connection, and is found again after."""

import time

from imker.fault import fault
from jobs import remote
from jobs.errors import CommandFailed, JobError, TimedOut, Unreachable
from jobs.execute.site import Site

LONGEST = 30 * 60  # seconds an upgrade may take
SILENCE = 65  # seconds a host may be away during it before we say so: said, with the last try, within 90
STARTS = 3  # a unit that is gone without a result went with its host's reboot: so often it is begun
# A package left half-configured is repaired first, and nothing can ask. People's own conffiles stay; only the Engine's
# package gets its maintainer's, which dpkg then leaves beside as .dpkg-dist. dpkg itself does not wait for its lock;
# what apt waits for, it waits 10 minutes for. What cannot be configured may be the very package that is to be
# replaced: apt has the last word on it.
SCRIPT = """
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


def install(site: Site, packages: tuple[str, ...]) -> None:
    """Starts the unit, or joins the one that a cut connection left; raises CommandFailed when apt fails."""
    starts = 0
    while starts < STARTS:
        heard = time.monotonic()
        _begin(site, packages)
        fault("upgrade.begun")
        state = _follow(site, heard)
        if state.about == _about(packages):
            return _collect(site, state)
        if not state.active:
            starts += 1
            site.note("the host was restarted in the middle of it, or never heard of it; going on")
    raise TimedOut(f"the upgrade on {site.host.name} was cut short {STARTS} times", host=site.host.name)


def _begin(site: Site, packages: tuple[str, ...]) -> None:
    """A connection that is lost here leaves open whether the host heard: following the unit shows it."""
    try:
        state = remote.unit_state(site.shell, remote.UPGRADE)
        if state.running or (state.active == "active" and state.about == _about(packages)):
            return  # one upgrade at a time, and how just this one ended is still to be looked at
        _forget(site, state)
        remote.start_unit(site.shell, remote.UPGRADE, _about(packages), SCRIPT, *packages)
    except Unreachable:
        _reconnect(site)


def _about(packages: tuple[str, ...]) -> str:
    return f"Imker: {' '.join(packages)}"


def _forget(site: Site, state: remote.UnitState) -> None:
    """Makes room for the unit, once the run has heard how an earlier one ended."""
    if state.active:
        _tell(site, f", exit {state.code}: {state.about}")
    remote.forget_unit(site.shell, remote.UPGRADE)


def _tell(site: Site, which: str = "") -> str:
    said = remote.unit_output(site.shell, remote.UPGRADE, 60)
    site.detail(f"apt on {site.host.name}{which}", said)
    return said


def _collect(site: Site, state: remote.UnitState) -> None:
    said = _tell(site)
    fault("upgrade.over")
    remote.forget_unit(site.shell, remote.UPGRADE)
    if state.code:
        hint = f"Mend what apt says on {site.host.name}; the thread has it."
        raise CommandFailed(site.host.name, "apt-get install", state.code, _reason(said), hint=hint)


def _reason(said: str) -> str:
    """apt says what is wrong in lines of their own, and often more after them."""
    wrong = [line for line in said.splitlines() if line.startswith(("E: ", "dpkg: error", "W: Failed"))]
    return wrong[0] if wrong else said


def _follow(site: Site, heard: float) -> remote.UnitState:
    """`heard`: when the host was heard of last, by the monotonic clock."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        state = _state(site, heard)
        heard = time.monotonic()
        if not state.running:
            return state
        time.sleep(0.5)
    raise TimedOut(f"the upgrade on {site.host.name} still runs after {LONGEST // 60} minutes", host=site.host.name)


def _state(site: Site, heard: float) -> remote.UnitState:
    """The unit's state, through as many new connections as it takes within SILENCE."""
    while True:
        try:
            state = remote.unit_state(site.shell, remote.UPGRADE)
            last = remote.unit_output(site.shell, remote.UPGRADE, 1).strip()
        except Unreachable as lost:
            if time.monotonic() - heard > SILENCE:
                raise _away(site) from lost
            _reconnect(site)
        else:
            site.note(last)
            return state


def _reconnect(site: Site) -> None:
    site.note("connection lost; the upgrade goes on there, looking for the host again")
    time.sleep(2)
    try:
        site.shell.reconnect()
    except Unreachable:
        return


def _away(site: Site) -> JobError:
    return Unreachable(
        f"{site.host.name} is away since {SILENCE} s, in the middle of its upgrade: outcome not known yet",
        host=site.host.name,
        hint="The upgrade goes on there by itself, or was cut short by a restart; it is picked up either way. "
        f"When the host is back: /swarm migrate {site.host.name}",
    )
