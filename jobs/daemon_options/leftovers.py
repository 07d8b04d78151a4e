"""Find options that the rewrite should have removed but did not, in any syntax and any file. Pure.

This safety net searches the text lines, not the parsed options, so that it finds what the parser does not understand.
"""

import re
from collections.abc import Iterator, Mapping

from imker.protocol.values import Finding
from jobs.daemon_options.commands import EXEC, commands, is_unit
from jobs.daemon_options.effective import used_environment_files
from jobs.daemon_options.environment_file import assignments
from jobs.daemon_options.flags import REMOVED_OPTIONS
from jobs.daemon_options.model import OptionFiles

MAX_SHOWN = 50  # lines; a single one blocks already
LEAVING = re.compile(rf"(?<![\w-])--?({'|'.join(REMOVED_OPTIONS)})(?![\w-])")
OLD = re.compile(r"\bdocker[\"']?\s+(?:-\S+\s+){0,50}(?:daemon|-d)(?!\S)|(?<![\w-])(?:-g|--?graph)(?![\w-])")


def find_leftovers(
    options: OptionFiles, files_after: Mapping[str, str], *, options_changed: bool
) -> tuple[Finding, ...]:
    """Return the findings. `files_after`: texts after the rewrite; `options_changed`: since the daemon started."""
    lines = [leftover for path, text in files_after.items() for leftover in _find_in_lines(path, text)]
    line_findings = (_leftover_finding(*leftover) for leftover in sorted(set(lines))[:MAX_SHOWN])
    return (
        *line_findings,
        *_find_comments(options, files_after),
        *(() if options_changed else _find_running_options(options)),
    )


def _leftover_finding(path: str, line: int, name: str) -> Finding:
    text = f"{path}, line {line}: Imker cannot remove {name} from this line"
    hint = "Remove it by hand, or write the line as one plain command. Then plan again."
    return Finding("options not understood", "block", text, hint)


def _find_in_lines(path: str, text: str) -> Iterator[tuple[str, int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip()[:1] not in ("#", ";"):
            yield from ((path, number, match[0]) for match in LEAVING.finditer(line))
    for command in commands(text) if is_unit(text) else ():
        if command.name == EXEC:
            number = text.count("\n", 0, command.at) + 1
            yield from ((path, number, " ".join(match[0].split())) for match in OLD.finditer(command.outer.text))


def _find_comments(options: OptionFiles, files_after: Mapping[str, str]) -> Iterator[Finding]:
    """Find comments after a value, which a shell ignores but systemd does not."""
    for path in sorted(used_environment_files(options)):
        for entry in assignments(files_after.get(path, "")):
            end = entry.value.spans[-1][1] if entry.value.spans else entry.start
            if re.search(r"[ \t]#", files_after[path][end : entry.end]):
                text = f"{path}: systemd reads the comment after {entry.name} as options; the Engine would not start"
                yield Finding(
                    "options not understood", "block", text, "Move the comment to a separate line. Then plan again."
                )


def _find_running_options(options: OptionFiles) -> Iterator[Finding]:
    """Find options of the running Engine that are in no known file: after a restart it would have them again."""
    option_names = {match[1] for text in options.files.values() for match in LEAVING.finditer(text)}
    running_names = dict.fromkeys(match[1] for word in options.command_line for match in LEAVING.finditer(word))
    for name in running_names:
        if name not in option_names:
            text = f"the running Engine has --{name}, but no file that Imker knows sets it"
            hint = "Find where it is set, starting with `systemctl cat docker.service`, and remove it. Then plan again."
            yield Finding("options not understood", "block", text, hint)
