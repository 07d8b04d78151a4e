"""Parse an environment file, such as /etc/default/docker, as systemd does. Pure.

Two things are parsed as a shell does, as the init scripts of some hosts use one: `export`, and a comment after a value.
"""

import re
from functools import lru_cache

from jobs.daemon_options.mapped_text import Entry, MappedText, map_text

PARSED_FILES = 32  # kept: each is read several times for a host, and hosts have the same units
KEY = re.compile(r"^[ \t]*(?:export[ \t]+)?(?P<key>[^#;\s=][^=\r\n]*)=", re.MULTILINE)
VALID = re.compile(r"[A-Za-z_]\w*\+?")
# Quotes are special at the start of a value or after another quoted part. Elsewhere they are plain characters.
QUOTED = re.compile(r"""(?P<soft>"(?:[^"\\]|\\.)*(?:"|\\?\Z))|(?P<hard>'[^']*(?:'|\Z))|(?P<blank>[ \t]+)""", re.DOTALL)
REST = re.compile(r"(?P<comment>(?<=[ \t])#[^\r\n]*)|\\(?P<kept>[^\r\n])|(?P<eaten>\\\r?\n)|(?P<plain>[^\r\n])")
LINE = re.compile(r"(?:\\\r?\n|\\?[^\r\n])*")  # with its continuation lines
SOFT = re.compile(r"""\\(?P<kept>["\\`$])|(?P<eaten>\\\r?\n)|(?P<plain>.)""", re.DOTALL)


@lru_cache(PARSED_FILES)
def assignments(text: str) -> tuple[Entry, ...]:
    """Return the assignments in the file, with their positions."""
    entries, position = [], 0
    while match := KEY.search(text, position):
        value, position = _parse_value(text, match.end())
        key = match["key"].rstrip(" \t")
        if VALID.fullmatch(key):
            entries.append(Entry(key, value, match.start(), position))
    return tuple(entries)


def variables(text: str) -> dict[str, str]:
    """Return name -> value. Later assignments override earlier ones."""
    return {entry.name: entry.value.text for entry in assignments(text)}


def _parse_value(text: str, position: int) -> tuple[MappedText, int]:
    """Return the value, and the position where its last line ends."""
    value = MappedText()
    while part := QUOTED.match(text, position):
        if part["soft"]:
            value = _append_characters(value, SOFT, text, position + 1, part.end() - part[0].endswith('"', 1))
        elif part["hard"]:
            value += map_text(text, position + 1, part.end() - part[0].endswith("'", 1))
        position = part.end()
    certain_length = len(value.text)
    end = LINE.match(text, position).end()  # type: ignore[union-attr]
    value = _append_characters(value, REST, text, position, end)
    value_length = certain_length + len(value.text[certain_length:].rstrip(" \t"))
    return value[:value_length], end


def _append_characters(value: MappedText, form: re.Pattern[str], text: str, start: int, end: int) -> MappedText:
    characters, spans = list(value.text), list(value.spans)
    for part in form.finditer(text, start, end):
        span = part.span()
        if part["kept"] or part["plain"]:
            characters.append(part["kept"] or part["plain"])
            spans.append(span)
        elif part["eaten"] and characters and characters[-1] in " \t":
            spans[-1] = (spans[-1][0], span[1])  # so that both are removed together
    return MappedText("".join(characters), tuple(spans))
