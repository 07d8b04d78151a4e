"""Files with options and sources: written whole, saved first, never twice."""

import shutil
from pathlib import Path

from imker.failpoints import failpoint
from jobs.connectors import files
from jobs.daemon_options import FileEdit
from jobs.daemon_options import merge_variables as merged
from jobs.errors import JobError, StateChanged
from jobs.execute.rollback import back_up
from jobs.execute.target import StepTarget


def apply_edits(target: StepTarget, edits: tuple[FileEdit, ...]) -> str:
    """Raises Drifted, having changed nothing more, when a file is no longer what the plan was made from."""
    for edit in edits:
        text = files.read_file(target.shell, edit.path)
        if text != edit.before:
            raise StateChanged(
                f"{edit.path} on {target.host.name} was changed by somebody else meanwhile", host=target.host.name
            )
        replace_file(target, edit.path, text, edit.after)
    old = "the old one is" if len(edits) == 1 else "the old ones are"
    return f"changed {', '.join(edit.path for edit in edits)}; {old} beside it (.imker-…)"


def clean_machine_config(target: StepTarget, edit: FileEdit) -> str:
    """docker-machine's own file is on this side; it may hold secrets, and its copy is as private as it is."""
    try:
        return _clean_machine_config(target, edit, Path(edit.path))
    except OSError as error:
        hint = "Let the RQ worker's user write there."
        raise JobError(f"{edit.path}: {error.strerror}", host=target.host.name, hint=hint) from error


def _clean_machine_config(target: StepTarget, edit: FileEdit, path: Path) -> str:
    if path.read_text() != edit.before:
        raise StateChanged(f"{path} was changed by somebody else meanwhile")
    shutil.copy2(path, path.with_name(f"{path.name}.imker-{files.backup_suffix()}"))
    target.on_file_change(edit.path, edit.before, edit.after)
    new_path = path.with_name(f"{path.name}.imker~")
    shutil.copy2(path, new_path)
    new_path.write_text(edit.after)
    new_path.replace(path)
    return f"cleaned {path.name}; the old one is beside it (.imker-…)"


def restore_options(target: StepTarget, path: str, options_text: str) -> str:
    text = files.read_file(target.shell, path) or ""
    after = merged(text, options_text)
    if after == text:
        return f"{path} has them already"
    replace_file(target, path, text, after)
    return f"put back into {path}"


def replace_file(target: StepTarget, path: str, before: str, after: str) -> None:
    back_up(target, path)
    target.on_file_change(path, before, after)
    failpoint("file.reported")
    files.write_file(target.shell, path, after)
