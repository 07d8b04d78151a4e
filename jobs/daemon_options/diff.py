"""Edits as people read them: a unified diff, with secrets masked."""

import difflib
import re

from jobs.daemon_options.model import FileEdit

MASK = "…"
SECRETS = (
    re.compile(r"(?<=://)[^/\s@\"']+(?=@)"),  # user:password in a URL
    re.compile(
        r"(?i)(?<=[\w.-])((?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key)[\w.-]*\"?\s*[=:]\s*\"?)([^\s\"',]+)"
    ),
    re.compile(r"(?i)\b((?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key)[\w.-]*\"?\s*[=:]\s*\"?)([^\s\"',]+)"),
    re.compile(r"SWMTKN-[\w-]+"),
)


def masked(text: str) -> str:
    for pattern in SECRETS:
        text = pattern.sub(lambda match: (match.group(1) if match.lastindex else "") + MASK, text)
    return text


def diff(edits: tuple[FileEdit, ...]) -> str:
    return "\n".join(_one(edit) for edit in edits)


def _one(edit: FileEdit) -> str:
    before, after = masked(edit.before).splitlines(), masked(edit.after).splitlines()
    return "\n".join(difflib.unified_diff(before, after, edit.path, edit.path, n=1, lineterm=""))
