"""Edits as people read them: a unified diff of what changes and no line besides, with secrets masked."""

import difflib

from imker.redaction import redact
from jobs.daemon_options.model import FileEdit


def diff(edits: tuple[FileEdit, ...]) -> str:
    return "\n".join(_diff_edit(edit) for edit in edits)


def _diff_edit(edit: FileEdit) -> str:
    before, after = redact(edit.before).splitlines(), redact(edit.after).splitlines()
    return "\n".join(difflib.unified_diff(before, after, edit.path, edit.path, n=0, lineterm=""))
