"""Change option and source files: report the change, compare and back up first, write atomically."""

import shutil
from dataclasses import replace
from pathlib import Path

from imker.failpoints import failpoint
from jobs.connectors import files
from jobs.daemon_options import FileEdit, merge_variables
from jobs.errors import JobError, StateChanged
from jobs.execute.target import StepTarget


def apply_edits(target: StepTarget, edits: tuple[FileEdit, ...]) -> str:
    """Apply the edits with one command. Raise StateChanged if a file changed since the plan was made."""
    changes = [files.FileChange(edit.path, edit.before, edit.after) for edit in edits]
    _change_files(target, *changes)
    return f"changed {', '.join(edit.path for edit in edits)}; backup in the same folder (.imker-…)"


def clean_machine_config(target: StepTarget, edit: FileEdit) -> str:
    """Edit docker-machine's config on the RQ worker's machine. The backup keeps its mode, as it may hold secrets."""
    try:
        return _clean_machine_config(target, edit, Path(edit.path))
    except OSError as error:
        hint = "Give the RQ worker's user write access to it."
        raise JobError(f"{edit.path}: {error.strerror}", host=target.host.name, hint=hint) from error


def _clean_machine_config(target: StepTarget, edit: FileEdit, path: Path) -> str:
    if path.read_text() != edit.before:
        raise StateChanged(f"{path} changed after the plan was made")
    shutil.copy2(path, path.with_name(f"{path.name}.imker-{files.backup_suffix()}"))
    target.on_file_change(edit.path, edit.before, edit.after)
    new_path = path.with_name(f"{path.name}.imker~")
    shutil.copy2(path, new_path)
    new_path.write_text(edit.after)
    new_path.replace(path)
    return f"cleaned {path.name}; backup in the same folder (.imker-…)"


def restore_options(target: StepTarget, path: str, options_text: str) -> str:
    """Merge the variables of `options_text` into the file, where the package put its maintainer's version."""
    before = files.read_file(target.shell, path)
    after = merge_variables(before or "", options_text)
    if after == (before or ""):
        return f"{path} already has the options"
    _change_files(target, files.FileChange(path, before, after))
    return f"restored the options in {path}"


def _change_files(target: StepTarget, *changes: files.FileChange) -> None:
    """Report the changes, then back up the files and write the new texts. Each file is backed up once per job."""
    for change in changes:
        target.on_file_change(change.path, change.before or "", change.after)
    failpoint("file.reported")
    unsaved = [replace(change, backed_up=change.path not in target.backed_up) for change in changes]
    files.change_files(target.shell, *unsaved)
    target.backed_up.update(change.path for change in changes)
