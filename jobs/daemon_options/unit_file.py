"""Parse a unit file's directives, with their continuation lines. In: the file's text. Out: entries. Pure."""

import re
from collections.abc import Iterator

from jobs.daemon_options.mapped_text import Entry, MappedText, map_text

LINE = re.compile(r"(?P<body>[^\r\n]*)(?:\r?\n|\r|\Z)")
NAME = re.compile(r"\s*(\w+)\s*=\s*")


def directives(text: str) -> tuple[Entry, ...]:
    """Return the directives of all sections, with their positions."""
    named_lines = ((NAME.match(line.text), line) for line in _logical_lines(text))
    return tuple(
        Entry(match[1], line[match.end() :], line.spans[0][0], line.spans[-1][1])
        for match, line in named_lines
        if match
    )


def _logical_lines(text: str) -> Iterator[MappedText]:
    """Yield the logical lines. A comment between continued lines is skipped and does not end them."""
    so_far = MappedText()
    for line in LINE.finditer(text):
        body, end = line["body"], line.end("body")
        if body.lstrip()[:1] in ("#", ";"):
            continue
        is_continued = (len(body) - len(body.rstrip("\\"))) % 2
        so_far += map_text(text, line.start(), end - is_continued)
        if is_continued:
            so_far += MappedText(" ", ((end - 1, line.end()),))
        else:
            yield so_far
            so_far = MappedText()
    yield so_far
