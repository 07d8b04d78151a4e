"""The Engine's package, by apt under a transient systemd unit: it outlives the connection, and is found again after."""

import time

from jobs import remote
from jobs.errors import CommandFailed, JobError, TimedOut, Unreachable
from jobs.execute import options
from jobs.execute.site import Site
from jobs.steps import UpgradeEngine

LONGEST = 30 * 60  # seconds an upgrade may take
SILENCE = 90  # seconds a host may be away during it before we say so
# A package left half-configured is repaired first; the maintainer's conffile is taken, and nothing can ask.
SCRIPT = """
set -e
dpkg --force-confnew --configure -a
apt-get -q update -o DPkg::Lock::Timeout=600
exec apt-get -q install -y --allow-downgrades --no-install-recommends \\
  -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confnew -- "$@"
"""


def upgrade(site: Site, step: UpgradeEngine) -> str:
    if step.conffile and (text := remote.read(site.shell, step.conffile)) is not None:
        options.keep(site, step.conffile, text)
    install(site, step.packages)
    return f"installed {', '.join(step.packages)}"


def install(site: Site, packages: tuple[str, ...]) -> None:
    """Starts the unit, or joins the one that a cut connection left running; raises when apt fails."""
    state = _run(site, packages)
    if not state.active:
        site.note("the host restarted in the middle of it; finishing what is left")
        state = _run(site, packages)
    if not state.active:
        raise Unreachable(f"{site.host.name} restarts again and again during its upgrade", host=site.host.name)
    said = remote.unit_output(site.shell, remote.UPGRADE, 60)
    site.detail(f"apt on {site.host.name}", said)
    remote.forget_unit(site.shell, remote.UPGRADE)
    if state.code:
        hint = f"Mend what apt says on {site.host.name}, then migrate it again."
        raise CommandFailed(site.host.name, "apt-get install", state.code, said, hint=hint)


def _run(site: Site, packages: tuple[str, ...]) -> remote.UnitState:
    """Until it has ended. Its `active` is "" when it is gone with the host's restart: then dpkg is half-way."""
    if not remote.unit_state(site.shell, remote.UPGRADE).running:
        remote.forget_unit(site.shell, remote.UPGRADE)
        remote.start_unit(site.shell, remote.UPGRADE, SCRIPT, *packages)
    return _follow(site)


def _follow(site: Site) -> remote.UnitState:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        state = _state(site)
        if not state.running:
            return state
        time.sleep(0.5)
    raise TimedOut(f"the upgrade on {site.host.name} still runs after {LONGEST // 60} minutes", host=site.host.name)


def _state(site: Site) -> remote.UnitState:
    """The unit's state, through as many new connections as it takes within SILENCE."""
    since = time.monotonic()
    while True:
        try:
            state = remote.unit_state(site.shell, remote.UPGRADE)
            last = remote.unit_output(site.shell, remote.UPGRADE, 1).strip()
        except Unreachable as lost:
            if time.monotonic() - since > SILENCE:
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
        hint=f"The upgrade goes on there by itself. When it is back: /swarm migrate {site.host.name}",
    )
