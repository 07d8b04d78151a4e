"""Remove the options that a swarm node must not have, with minimal edits. Pure."""

import re

from jobs.daemon_options import daemon_json
from jobs.daemon_options.commands import commands, is_unit
from jobs.daemon_options.environment_file import assignments, variables
from jobs.daemon_options.findings import find_problems
from jobs.daemon_options.fixes import MAX_FIXES, find_fixes
from jobs.daemon_options.mapped_text import Entry, apply_edits
from jobs.daemon_options.model import FileEdit, OptionFiles, Rewrite

Changes = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]  # text, dropped, mapped
MOUNTS = re.compile(r"^[ \t]*MountFlags[ \t]*=[ \t]*slave[ \t]*\r?\n", re.MULTILINE)


def rewrite(options: OptionFiles, target_version: str, *, options_changed: bool = False) -> Rewrite:
    """Return the edits for all files that the daemon could read, and the findings for Engine `target_version`.

    `target_version`: for example "26.1.5"; `options_changed`: the files changed since the daemon started, so that its
    command line is not compared with them.
    """
    rewritten = {path: _rewrite_file(path, text) for path, text in options.files.items()}
    after = {path: text for path, (text, _, _) in rewritten.items()}
    return Rewrite(
        edits=tuple(FileEdit(path, text, after[path]) for path, text in options.files.items() if text != after[path]),
        dropped=tuple(flag for _, dropped, _ in rewritten.values() for flag in dropped),
        mapped=tuple(pair for _, _, mapped in rewritten.values() for pair in mapped),
        findings=find_problems(options, after, target_version, options_changed=options_changed),
    )


def clean_variables(text: str) -> str:
    """Return an environment file's text without the classic Swarm's options."""
    return _rewrite_commands(text)[0]


def clean_files(files: dict[str, str]) -> dict[str, str]:
    """Return path -> text without the classic Swarm's options."""
    return {path: _rewrite_file(path, text)[0] for path, text in files.items()}


def merge_variables(maintainers: str, own_text: str) -> str:
    """Return the maintainer's text with the assignments of `own_text` that it lacks or sets differently."""
    current_values, target_values = variables(maintainers), variables(own_text)
    missing = [entry for entry in assignments(own_text) if current_values.get(entry.name) != target_values[entry.name]]
    if not missing:
        return maintainers
    lines = dict.fromkeys(_full_lines(own_text, entry) for entry in missing)
    separator = "" if maintainers.endswith("\n") or not maintainers else "\n"
    return maintainers + separator + "".join(lines)


def _full_lines(text: str, entry: Entry) -> str:
    end = text.find("\n", entry.end)
    return text[entry.start :] + "\n" if end < 0 else text[entry.start : end + 1]


def _rewrite_file(path: str, text: str) -> Changes:
    if path.endswith(".json") or text.lstrip("\ufeff \t\r\n").startswith("{"):
        return daemon_json.rewrite(text)
    after, dropped, mapped = _rewrite_commands(text)
    if not is_unit(text):
        return after, dropped, mapped
    # MountFlags=slave would hide the daemon's mounts from a separate containerd: no container starts.
    after, lines = MOUNTS.subn("", after)
    return after, (*dropped, *["MountFlags=slave"] * lines), mapped


def _rewrite_commands(text: str) -> Changes:
    """Apply one fix after the other, each to the new text, until none is found. The rest becomes a finding."""
    dropped: tuple[str, ...] = ()
    mapped: tuple[tuple[str, str], ...] = ()
    for _ in range(MAX_FIXES):
        fix = next((fix for command in commands(text) for fix in find_fixes(command)), None)
        if fix is None:
            break
        text = apply_edits(text, fix.edits)
        dropped, mapped = dropped + fix.dropped, mapped + fix.mapped
    return text, dropped, mapped
