"""Files with options and sources: written whole, saved first, never twice."""

import shutil
from pathlib import Path

from jobs import remote
from jobs.daemon_options import FileEdit
from jobs.daemon_options import put_back as merged
from jobs.errors import Drifted, JobError
from jobs.execute.back import keep
from jobs.execute.site import Site


def apply(site: Site, edits: tuple[FileEdit, ...]) -> str:
    """Raises Drifted, having changed nothing more, when a file is no longer what the plan was made from."""
    for edit in edits:
        text = remote.read(site.shell, edit.path)
        if text != edit.before:
            raise Drifted(
                f"{edit.path} on {site.host.name} was changed by somebody else meanwhile", host=site.host.name
            )
        replace(site, edit.path, text, edit.after)
    old = "the old one is" if len(edits) == 1 else "the old ones are"
    return f"changed {', '.join(edit.path for edit in edits)}; {old} beside it (.imker-…)"


def clean_machine(site: Site, edit: FileEdit) -> str:
    """docker-machine's own file is on this side; it may hold secrets, and its copy is as private as it is."""
    try:
        return _clean_machine(site, edit, Path(edit.path))
    except OSError as wrong:
        hint = "Let the RQ worker's user write there."
        raise JobError(f"{edit.path}: {wrong.strerror}", host=site.host.name, hint=hint) from wrong


def _clean_machine(site: Site, edit: FileEdit, path: Path) -> str:
    if path.read_text() != edit.before:
        raise Drifted(f"{path} was changed by somebody else meanwhile")
    shutil.copy2(path, path.with_name(f"{path.name}.imker-{remote.stamp()}"))
    site.changed(edit.path, edit.before, edit.after)
    fresh = path.with_name(f"{path.name}.imker~")
    shutil.copy2(path, fresh)
    fresh.write_text(edit.after)
    fresh.replace(path)
    return f"cleaned {path.name}; the old one is beside it (.imker-…)"


def put_back(site: Site, path: str, wanted: str) -> str:
    text = remote.read(site.shell, path) or ""
    after = merged(text, wanted)
    if after == text:
        return f"{path} has them already"
    replace(site, path, text, after)
    return f"put back into {path}"


def replace(site: Site, path: str, before: str, after: str) -> None:
    keep(site, path)
    site.changed(path, before, after)
    remote.write(site.shell, path, after)
