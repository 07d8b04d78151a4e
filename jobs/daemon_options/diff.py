"""Show edits as a unified diff without context lines and with redacted secrets. Pure."""

import difflib

from imker.redaction import redact
from jobs.daemon_options.model import FileEdit


def diff(edits: tuple[FileEdit, ...]) -> str:
    """Return the diff of all edits."""
    return "\n".join(_diff_edit(edit) for edit in edits)


def _diff_edit(edit: FileEdit) -> str:
    before, after = redact(edit.before).splitlines(), redact(edit.after).splitlines()
    return "\n".join(difflib.unified_diff(before, after, edit.path, edit.path, n=0, lineterm=""))
