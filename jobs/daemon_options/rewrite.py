"""Takes out of the options what a node of a swarm may not have. The edit is the least that does it."""

import re

from jobs.daemon_options.daemon_json import rewritten as json_rewritten
from jobs.daemon_options.effective import DAEMON_JSON, variables
from jobs.daemon_options.findings import findings
from jobs.daemon_options.flags import renamed, without
from jobs.daemon_options.model import FileEdit, OptionFiles, Rewrite
from jobs.daemon_options.places import Stretch, assignments, directives

Changes = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]  # text, dropped, mapped


def rewrite(options: OptionFiles, target_version: str) -> Rewrite:
    """For the Engine `target_version` ("26.1.5"). Every file that could be read at a start is cleaned."""
    done = {path: _file(path, text) for path, text in options.files.items()}
    edits = tuple(
        FileEdit(path, options.files[path], text)
        for path, (text, _, _) in done.items()
        if _differs(options, path, text)
    )
    return Rewrite(
        edits=edits,
        dropped=tuple(flag for _, dropped, _ in done.values() for flag in dropped),
        mapped=tuple(pair for _, _, mapped in done.values() for pair in mapped),
        findings=findings(options, target_version),
    )


def cleaned(text: str) -> str:
    """An environment file's text without the classic Swarm's options."""
    return _environment(text)[0]


def cleaned_files(files: dict[str, str]) -> dict[str, str]:
    return {path: _file(path, text)[0] for path, text in files.items()}


def put_back(maintainers: str, wanted: str) -> str:
    """The maintainer's text with the assignments of `wanted` that it lacks or has otherwise; all else as it is."""
    have = variables(maintainers)
    missing = [stretch for stretch in assignments(wanted) if have.get(stretch.name) != variables(wanted)[stretch.name]]
    if not missing:
        return maintainers
    lines = dict.fromkeys(_line(wanted, stretch) for stretch in missing)
    gap = "" if maintainers.endswith("\n") or not maintainers else "\n"
    return maintainers + gap + "".join(lines)


def _differs(options: OptionFiles, path: str, text: str) -> bool:
    return text != options.files[path]


def _line(text: str, stretch: Stretch) -> str:
    start = text.rfind("\n", 0, stretch.start) + 1
    end = text.find("\n", stretch.end)
    return text[start:] + "\n" if end < 0 else text[start : end + 1]


def _file(path: str, text: str) -> Changes:
    if path == DAEMON_JSON:
        return json_rewritten(text)
    if re.search(r"^\[\w+\]", text, re.MULTILINE):
        return _unit(text)
    return _environment(text)


def _environment(text: str) -> Changes:
    return _stretches(text, [stretch for stretch in assignments(text) if "-" in text[stretch.start : stretch.end]])


def _unit(text: str) -> Changes:
    """MountFlags=slave would hide the daemon's mounts from a separate containerd: no container starts."""
    starts = [stretch for stretch in directives(text) if stretch.name in ("ExecStart", "Environment")]
    after, dropped, mapped = _stretches(text, starts)
    verb = re.sub(
        r"^(\s*ExecStart\s*=\s*[-@:+!]*\S*/)docker[ \t]+(?:daemon|-d)\b", r"\1dockerd", after, flags=re.MULTILINE
    )
    if verb != after:
        mapped += (("docker daemon", "dockerd"),)
    after, lines = re.subn(r"^[ \t]*MountFlags[ \t]*=[ \t]*slave[ \t]*\r?\n", "", verb, flags=re.MULTILINE)
    return after, (*dropped, *["MountFlags=slave"] * lines), mapped


def _stretches(text: str, found: list[Stretch]) -> Changes:
    """Each stretch edited in place, the last first, so that the places of the others stay true."""
    dropped: tuple[str, ...] = ()
    mapped: tuple[tuple[str, str], ...] = ()
    for stretch in reversed(found):
        value, gone = without(text[stretch.start : stretch.end], stretch.quote)
        value, pairs = renamed(value)
        text = text[: stretch.start] + value + text[stretch.end :]
        dropped, mapped = gone + dropped, pairs + mapped
    return text, dropped, mapped
