"""Interpret a script that prints sections: run each command that a line names on the simulated host.

Only lines without indentation count: `section NAME COMMAND...`, `background NAME COMMAND...`, `unit_files`,
`option_file PATH`, and `shift`. What the script defines as a function is a command of the simulated host.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from functools import lru_cache

from lab.simulated.machine import Machine
from lab.simulated.output import Output

MARKER = "\nprint_sections\n"  # the last line of each such script
BYTE_ERRORS = "surrogateescape"
Run = Callable[[Machine, list[str], str], Output]
Named = tuple[str, Output]


def run_section_script(machine: Machine, script: str, arguments: list[str], run: Run) -> Output:
    """Return all sections, in the form that the script itself prints."""
    sections: dict[str, Output] = {}
    for line in script.splitlines():
        if line == "shift":
            arguments = arguments[1:]
        for name, output in _sections_of(machine, line, arguments, run):
            sections.setdefault(name, output)
    header = "".join(
        f"{len(output.stdout.encode(errors=BYTE_ERRORS))} {output.exit_status} {name}\n"
        for name, output in sections.items()
    )
    return Output(0, f"{header}\n{''.join(output.stdout for output in sections.values())}")


def _sections_of(machine: Machine, line: str, arguments: list[str], run: Run) -> Iterator[Named]:
    if line.startswith(("section ", "background ")):
        _, name, *words = _expand_words(line, arguments)
        yield name, run(machine, words, "")
    elif line == "unit_files":
        unit = machine.dockerd.unit_facts()
        for path in (unit.fragment_path, *unit.drop_in_paths, *unit.environment_files):
            yield from _option_file(machine, path.lstrip("-"))
    elif match := re.fullmatch(r'(?:\[ -z "\$1" \] \|\| )?option_file (.+)', line):
        yield from _option_file(machine, _expand_words(match[1], arguments)[0])


def _option_file(machine: Machine, path: str) -> Iterator[Named]:
    """Yield a file with its modification time, and Imker's backups of it."""
    texts = machine.disk.texts
    if path in texts:
        yield f"file {path}", Output(0, texts[path])
        yield f"modified {path}", Output(0, f"{machine.disk.modified_at[path]:.9f}\n")
        for copy in sorted(copy for copy in texts if copy.startswith(f"{path}.imker-")):
            yield f"file {copy}", Output(0, texts[copy])


@lru_cache(256)
def _split_words(line: str) -> tuple[str, ...]:
    return tuple(shlex.split(line))


def _expand_words(line: str, arguments: list[str]) -> list[str]:
    """Return the words of a line, with "$1" and "$@" replaced as a shell does."""
    words: list[str] = []
    for word in _split_words(line):
        number = re.fullmatch(r"\$([1-9])", word)
        words += arguments if word == "$@" else [arguments[int(number[1]) - 1]] if number else [word]
    return words
