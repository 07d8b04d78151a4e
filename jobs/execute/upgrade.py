"""Upgrade the Engine. If apt fails, roll the host back."""

from jobs.connectors import dpkg, files
from jobs.connectors.shell import sudo
from jobs.errors import CommandFailed, JobError
from jobs.execute import packages, rollback
from jobs.execute.rollback import RollbackFailed, RolledBack
from jobs.execute.target import StepTarget
from jobs.facts.packages import restarts_engine
from jobs.steps import UpgradeEngine


def upgrade_engine(target: StepTarget, step: UpgradeEngine) -> str:
    """Install the new Engine. If apt fails, raise RolledBack or RollbackFailed.

    Debian's package does not restart the Engine. Docker's own does.
    """
    before = (files.read_file(target.shell, step.conffile) or "") if step.conffile else ""
    try:
        after = packages.install_packages(target, step.packages, step.conffile, step.old_packages)
    except CommandFailed as error:
        raise _roll_back(target, step, error) from error
    if after != before:  # the package replaced the conffile with its maintainer's version
        target.on_file_change(step.conffile, before, after)
    return f"installed {', '.join(step.packages)}"


def _roll_back(target: StepTarget, step: UpgradeEngine, error: CommandFailed) -> JobError:
    """Restore files and package. With Debian's package, which does not restart it, the daemon still runs as before."""
    target.on_progress("apt failed; rolling back")
    old, host = rollback.load_rollback_point(target.shell), target.host.name
    touched = _installed_versions(target, old) != dict(name.split("=", 1) for name in old.packages)
    clean = not touched or rollback.downgrade_package(target, old)
    rollback.restore_files(target, old)
    if clean:
        files.remove_files(target.shell, files.ROLLBACK_FILE)
        summary = f"{error.summary}; restored the old files and package"
        return RolledBack(summary, host=host, state=_engine_state(step), hint=error.hint)
    audit = target.shell.run(sudo("dpkg", "--audit", check=False)).stdout.strip()
    target.on_output(f"dpkg on {host}", audit or "dpkg --audit found no problem")
    summary = f"{error.summary}; reinstalling the old package failed too; restored the old files"
    return RollbackFailed(summary, host=host, state=_engine_state(step), hint=error.hint)


def _engine_state(step: UpgradeEngine) -> str:
    names = {package.split("=", 1)[0] for package in (*step.packages, *step.old_packages)}
    if any(map(restarts_engine, names)):
        return "The package may have restarted its Engine."
    return "Its Engine was not restarted."


def _installed_versions(target: StepTarget, point: rollback.RollbackPoint) -> dict[str, str]:
    names = [name.split("=", 1)[0] for name in point.packages]
    return {name: version for state, name, version in dpkg.query_packages(target.shell, *names) if state == "ii"}
