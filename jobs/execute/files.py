"""Change option and source files: back up first, write atomically, skip unchanged files."""

import shutil
from pathlib import Path

from imker.failpoints import failpoint
from jobs.connectors import files
from jobs.daemon_options import FileEdit, merge_variables
from jobs.errors import JobError, StateChanged
from jobs.execute.rollback import back_up
from jobs.execute.target import StepTarget


def apply_edits(target: StepTarget, edits: tuple[FileEdit, ...]) -> str:
    """Apply the edits. Raise StateChanged at the first file that changed since the plan was made."""
    for edit in edits:
        text = files.read_file(target.shell, edit.path)
        if text != edit.before:
            raise StateChanged(
                f"{edit.path} on {target.host.name} changed after the plan was made", host=target.host.name
            )
        replace_file(target, edit.path, text, edit.after)
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
    text = files.read_file(target.shell, path) or ""
    after = merge_variables(text, options_text)
    if after == text:
        return f"{path} already has the options"
    replace_file(target, path, text, after)
    return f"restored the options in {path}"


def replace_file(target: StepTarget, path: str, before: str, after: str) -> None:
    """Back up the file, report the change, and write the new text."""
    back_up(target, path)
    target.on_file_change(path, before, after)
    failpoint("file.reported")
    files.write_file(target.shell, path, after)
