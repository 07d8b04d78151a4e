"""Find the fixes that a command needs: flags to remove, old names, and the old verb. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.daemon_options.commands import Command
from jobs.daemon_options.flags import DATA_ROOT, GRAPH, REMOVED_OPTIONS, Flag
from jobs.daemon_options.mapped_text import Edit
from jobs.daemon_options.words import Word, remove_words

MAX_FIXES = 40  # in one file; the search restarts after each fix, and the host decides how many there are


@dataclass(frozen=True)
class Fix:
    """One fix. `dropped`: removed flags; `mapped`: (old, new) for renamed ones."""

    edits: tuple[Edit, ...]
    dropped: tuple[str, ...] = ()
    mapped: tuple[tuple[str, str], ...] = ()


def find_fixes(command: Command) -> Iterator[Fix]:
    """Yield the fixes of a command."""
    for flag in command.flags:
        if flag.name in REMOVED_OPTIONS:
            yield _remove_flag(command, flag)
        elif flag.name in GRAPH:
            yield from _rename_flag(command.words[flag.first], flag.name)
    yield from _replace_verb(command)


def _remove_flag(command: Command, flag: Flag) -> Fix:
    last = flag.first if flag.name == "live-restore" else flag.last
    source_text = command.outer.text[command.words[flag.first].start : command.words[last].end]
    return Fix(tuple(remove_words(command.outer, command.words, flag.first, last)), (source_text,))


def _rename_flag(word: Word, name: str) -> Iterator[Fix]:
    """Rename `-g` and `--graph`, which are `--data-root` since 17.05 and were removed in 23.0."""
    end = word.text.index(name) + len(name)
    old, glued = word.value[:end], word.text[end : end + 1] not in ("", "=")
    if old.is_contiguous:
        new = f"--{DATA_ROOT}=" if glued else f"--{DATA_ROOT}"
        yield Fix(((old.spans[0][0], old.spans[-1][1], new),), mapped=((old.text, f"--{DATA_ROOT}"),))


def _replace_verb(command: Command) -> Iterator[Fix]:
    """Replace `docker daemon` and `docker -d`, which are `dockerd` since 1.12 and were removed by 17.06."""
    if command.verb is None:
        return
    ends = (word.value.spans[-1][1] for word in command.words[: command.first] if word.text.endswith("docker"))
    removal = remove_words(command.outer, command.words, command.verb, command.verb)
    verb = command.words[command.verb].text
    yield Fix((*((end, end, "d") for end in ends), *removal), mapped=((f"docker {verb}", "dockerd"),))
