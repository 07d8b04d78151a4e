"""Save and restore the rollback point of a migration. It is saved on the host, as it may be from an earlier run.

In: a StepTarget. Out: the RollbackPoint; files and package restored, or a JobError.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from imker.failpoints import failpoint
from jobs.connectors import files
from jobs.connectors.shell import Shell
from jobs.daemon_options import clean_files
from jobs.errors import JobError
from jobs.execute import packages
from jobs.execute.target import StepTarget
from jobs.facts.packages import parse_engine_version


class RolledBack(JobError):
    """The change failed, and the host is rolled back."""


class RollbackFailed(JobError):
    """The change failed, and the rollback failed."""


@dataclass(frozen=True)
class RollbackPoint:
    """What to restore. `copies`: path -> path of its backup; `packages`: "name=version", empty before an upgrade."""

    copies: Mapping[str, str]
    packages: tuple[str, ...]

    @property
    def engine_version(self) -> str:
        """Return the Engine version of the old package, "" if there is none."""
        return parse_engine_version(self.packages[0].partition("=")[2]) if self.packages else ""


def load_rollback_point(shell: Shell) -> RollbackPoint:
    """Return the host's rollback point. It is empty if no migration is unfinished."""
    lines = (files.read_file(shell, files.ROLLBACK_FILE) or "").splitlines()
    copies = {line.rpartition(".imker-")[0]: line for line in lines if line.startswith("/")}
    return RollbackPoint(copies, tuple(line for line in lines if not line.startswith("/")))


def back_up(target: StepTarget, path: str) -> None:
    """Back up a file, once per job."""
    if path not in target.backed_up:
        files.back_up_file(target.shell, path)
        target.backed_up.add(path)


def restore_files(target: StepTarget, point: RollbackPoint) -> None:
    """Restore the backups. Back up what they overwrite, which may be an operator's change."""
    for path, copy in point.copies.items():
        current, saved = (files.read_file(target.shell, file) or "" for file in (path, copy))
        if current != saved:
            back_up(target, path)
            target.on_file_change(path, current, saved)
        files.restore_backup(target.shell, copy, path)


def remove_classic_options(target: StepTarget, point: RollbackPoint) -> bool:
    """Remove the classic options from the restored files, and return whether there were any."""
    texts = {path: files.read_file(target.shell, path) or "" for path in point.copies}
    cleaned = {path: text for path, text in clean_files(texts).items() if text != texts[path]}
    for path, text in cleaned.items():
        target.on_file_change(path, texts[path], text)
    changes = [files.FileChange(path, texts[path], text, backed_up=False) for path, text in cleaned.items()]
    if changes:
        files.change_files(target.shell, *changes)
    return bool(cleaned)


def downgrade_package(target: StepTarget, point: RollbackPoint) -> bool:
    """Return whether the old package is installed again. Restores the files first, as the old source offers it."""
    restore_files(target, point)
    failpoint("rollback.files")
    try:
        packages.install_packages(target, point.packages)
    except JobError:
        return False  # the thread has the output of apt
    failpoint("rollback.package")
    return True
