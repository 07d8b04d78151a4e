"""The safety net: what has to leave and is still there after the rewrite, however it is written, and wherever. Pure.

It looks at lines, not at what the reader of the options makes of them: what that does not understand is found here.
"""

import re
from collections.abc import Iterator, Mapping

from imker.protocol.values import Finding
from jobs.daemon_options.commands import EXEC, commands, is_unit
from jobs.daemon_options.effective import used_environment_files
from jobs.daemon_options.environment_file import assignments
from jobs.daemon_options.flags import REMOVED_OPTIONS
from jobs.daemon_options.model import OptionFiles

SHOWN = 50  # lines that are still wrong: one of them is enough to stop
LEAVING = re.compile(rf"(?<![\w-])--?({'|'.join(REMOVED_OPTIONS)})(?![\w-])")
OLD = re.compile(r"\bdocker[\"']?\s+(?:-\S+\s+){0,50}(?:daemon|-d)(?!\S)|(?<![\w-])(?:-g|--?graph)(?![\w-])")


def find_leftovers(
    options: OptionFiles, files_after: Mapping[str, str], *, options_changed: bool
) -> tuple[Finding, ...]:
    """`after`: the files as they are to be; `stale`: the running daemon had others."""
    lines = [leftover for path, text in files_after.items() for leftover in _lines(path, text)]
    line_findings = (_finding(*leftover) for leftover in sorted(set(lines))[:SHOWN])
    return (*line_findings, *_comments(options, files_after), *(() if options_changed else _running(options)))


def _finding(path: str, line: int, name: str) -> Finding:
    text = f"{path}, line {line}: {name} is still there; Imker does not know how to take it out of this"
    hint = "Take it out by hand, or write the line as one plain command; then plan again."
    return Finding("options not understood", "block", text, hint)


def _lines(path: str, text: str) -> Iterator[tuple[str, int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip()[:1] not in ("#", ";"):
            yield from ((path, number, match[0]) for match in LEAVING.finditer(line))
    for command in commands(text) if is_unit(text) else ():
        if command.name == EXEC:
            number = text.count("\n", 0, command.at) + 1
            yield from ((path, number, " ".join(match[0].split())) for match in OLD.finditer(command.outer.text))


def _comments(options: OptionFiles, files_after: Mapping[str, str]) -> Iterator[Finding]:
    """A shell passes over a comment behind a value; systemd does not."""
    for path in sorted(used_environment_files(options)):
        for place in assignments(files_after.get(path, "")):
            end = place.value.spans[-1][1] if place.value.spans else place.start
            if re.search(r"[ \t]#", files_after[path][end : place.end]):
                text = f"{path}: systemd takes the comment behind {place.name} for options; no Engine starts with it"
                yield Finding("options not understood", "block", text, "Give it a line of its own; then plan again.")


def _running(options: OptionFiles) -> Iterator[Finding]:
    """An Engine that runs with what no file names gets it from somewhere else, and would get it again."""
    option_names = {match[1] for text in options.files.values() for match in LEAVING.finditer(text)}
    running_names = dict.fromkeys(match[1] for word in options.command_line for match in LEAVING.finditer(word))
    for name in running_names:
        if name not in option_names:
            text = f"the running Engine has --{name}, and none of the files that Imker knows says so"
            hint = "Find what starts it so: systemctl cat docker.service; then plan again."
            yield Finding("options not understood", "block", text, hint)
