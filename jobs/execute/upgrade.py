"""The Engine's upgrade; when apt cannot do it, the host goes back to what it was."""

from jobs import remote
from jobs.errors import CommandFailed, JobError
from jobs.execute import back, packages
from jobs.execute.back import Down, Restored
from jobs.execute.site import Site
from jobs.steps import UpgradeEngine


def upgrade(site: Site, step: UpgradeEngine) -> str:
    before = remote.read(site.shell, step.conffile) if step.conffile else None
    if before is not None:
        back.keep(site, step.conffile)
    back.note(site, step.old_packages)
    try:
        packages.install(site, step.packages)
    except CommandFailed as failed:
        raise _back(site, failed) from failed
    if step.conffile:
        _tell_conffile(site, step.conffile, before or "")
    return f"installed {', '.join(step.packages)}"


def _tell_conffile(site: Site, path: str, before: str) -> None:
    """The package may have put its maintainer's file in the place of the one that was there."""
    after = remote.read(site.shell, path) or ""
    if after != before:
        site.changed(path, before, after)


def _back(site: Site, failed: CommandFailed) -> JobError:
    """The daemon still runs as it did: Debian's package does not restart it. Only disk and dpkg are to go back."""
    site.note("apt failed; putting the old state back")
    old, host = back.before(site.shell), site.host.name
    touched = _installed(site, old) != dict(name.split("=", 1) for name in old.packages)
    clean = not touched or back.downgrade(site, old)
    back.restore(site, old)
    if clean:
        remote.remove(site.shell, remote.BEFORE)
        summary, state = f"{failed.summary}; the old files and package are back", "Its Engine was not restarted."
        return Restored(summary, host=host, state=state, hint=failed.hint)
    left = site.shell.run("dpkg", "--audit", sudo=True, check=False).stdout.strip()
    site.detail(f"dpkg on {host}", left or "dpkg --audit finds nothing")
    summary = f"{failed.summary}; the old package does not go in again either, the old files are back"
    return Down(summary, host=host, state="Its Engine was not restarted.", hint=failed.hint)


def _installed(site: Site, old: back.Before) -> dict[str, str]:
    names = [name.split("=", 1)[0] for name in old.packages]
    return {name: version for state, name, version in remote.packages(site.shell, *names) if state == "ii"}
