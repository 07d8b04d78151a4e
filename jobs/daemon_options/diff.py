"""Edits as people read them: a unified diff of what changes and no line besides, with secrets masked."""

import difflib

from imker.redaction import redacted
from jobs.daemon_options.model import FileEdit


def diff(edits: tuple[FileEdit, ...]) -> str:
    return "\n".join(_one(edit) for edit in edits)


def _one(edit: FileEdit) -> str:
    before, after = redacted(edit.before).splitlines(), redacted(edit.after).splitlines()
    return "\n".join(difflib.unified_diff(before, after, edit.path, edit.path, n=0, lineterm=""))
