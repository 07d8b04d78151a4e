"""The Engine's upgrade; when apt cannot do it, the host goes back to what it was."""

from jobs import remote
from jobs.errors import CommandFailed, JobError
from jobs.execute import options, packages
from jobs.execute.back import Down, Restored, downgrade, restore
from jobs.execute.site import Site
from jobs.steps import UpgradeEngine


def upgrade(site: Site, step: UpgradeEngine) -> str:
    if step.conffile and (text := remote.read(site.shell, step.conffile)) is not None:
        options.keep(site, step.conffile, text)
    try:
        packages.install(site, step.packages)
    except CommandFailed as failed:
        raise _back(site, step, failed) from failed
    if step.conffile:
        _tell_conffile(site, step.conffile)
    return f"installed {', '.join(step.packages)}"


def _tell_conffile(site: Site, path: str) -> None:
    """The package may have put its maintainer's file in the place of the one that was there."""
    before, after = site.saved.get(path, ""), remote.read(site.shell, path) or ""
    if after != before:
        site.changed(path, before, after)


def _back(site: Site, step: UpgradeEngine, failed: CommandFailed) -> JobError:
    """The daemon still runs as it did: Debian's package does not restart it. Only disk and dpkg are to go back."""
    site.note("apt failed; putting the old state back")
    touched = _installed(site, step) != dict(name.split("=", 1) for name in step.old_packages)
    clean = not touched or downgrade(site, step.old_packages)
    restore(site, site.saved)
    if clean:
        return Restored(f"{failed.summary}; the old files and package are back", host=site.host.name, hint=failed.hint)
    left = site.shell.run("dpkg", "--audit", sudo=True, check=False).stdout.strip()
    site.detail(f"dpkg on {site.host.name}", left or "dpkg --audit finds nothing")
    summary = f"{failed.summary}; the old package does not go in again either, the old files are back"
    return Down(summary, host=site.host.name, hint=failed.hint)


def _installed(site: Site, step: UpgradeEngine) -> dict[str, str]:
    names = [name.split("=", 1)[0] for name in step.old_packages]
    return {name: version for state, name, version in remote.packages(site.shell, *names) if state == "ii"}
