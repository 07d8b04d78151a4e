"""Back to what a host was before its migration, which may have begun in a job before this one: the host has it noted.

In: a Site. Out: what was noted; files and package as they were, or a JobError.
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
    """What was begun did not work, and the host is as it was."""


class RollbackFailed(JobError):
    """What was begun did not work, and neither did going back."""


@dataclass(frozen=True)
class RollbackPoint:
    """`copies`: path -> its saved copy; `packages`: "name=version" each, none as long as no upgrade was begun."""

    copies: Mapping[str, str]
    packages: tuple[str, ...]

    @property
    def engine_version(self) -> str:
        """The old package's version of the Engine."""
        return parse_engine_version(self.packages[0].partition("=")[2]) if self.packages else ""


def load_rollback_point(shell: Shell) -> RollbackPoint:
    lines = (files.read_file(shell, files.ROLLBACK_FILE) or "").splitlines()
    copies = {line.rpartition(".imker-")[0]: line for line in lines if line.startswith("/")}
    return RollbackPoint(copies, tuple(line for line in lines if not line.startswith("/")))


def back_up(target: StepTarget, path: str) -> None:
    """Saves a file beside itself, once a job; the first copy of a migration is the one to go back to."""
    if path not in target.backed_up:
        files.back_up_file(target.shell, path, for_rollback=path not in load_rollback_point(target.shell).copies)
        target.backed_up.add(path)


def record_packages(target: StepTarget, old_packages: tuple[str, ...]) -> None:
    """Once a migration, too: in the middle of an upgrade the installed one is no old one any more."""
    if old_packages and not load_rollback_point(target.shell).packages:
        files.append_line(target.shell, files.ROLLBACK_FILE, "\n".join(old_packages))


def restore_files(target: StepTarget, point: RollbackPoint) -> None:
    """What somebody wrote there since an earlier job is saved before it goes."""
    for path, copy in point.copies.items():
        now, then = files.read_file(target.shell, path) or "", files.read_file(target.shell, copy) or ""
        if now != then:
            back_up(target, path)
            target.on_file_change(path, now, then)
        files.restore_backup(target.shell, copy, path)


def remove_classic_options(target: StepTarget, point: RollbackPoint) -> bool:
    """Takes the classic options out of the files put back; whether there were any."""
    texts = {path: files.read_file(target.shell, path) or "" for path in point.copies}
    cleaned = {path: text for path, text in clean_files(texts).items() if text != texts[path]}
    for path, text in cleaned.items():
        target.on_file_change(path, texts[path], text)
        files.write_file(target.shell, path, text)
    return bool(cleaned)


def downgrade_package(target: StepTarget, point: RollbackPoint) -> bool:
    """Whether the old package is in again. The old files come first: it is the old source that offers it."""
    restore_files(target, point)
    failpoint("rollback.files")
    try:
        packages.install_packages(target, point.packages)
    except JobError:
        return False  # apt's words are in the thread
    failpoint("rollback.package")
    return True
