"""A unit file's directives, each with its continuation lines. In: the file's text. Out: places. Pure."""

import re
from collections.abc import Iterator

from jobs.daemon_options.mapped_text import Entry, MappedText, map_text

LINE = re.compile(r"(?P<body>[^\r\n]*)(?:\r?\n|\r|\Z)")
NAME = re.compile(r"\s*(\w+)\s*=\s*")


def directives(text: str) -> tuple[Entry, ...]:
    named_lines = ((NAME.match(line.text), line) for line in _lines(text))
    return tuple(
        Entry(match[1], line[match.end() :], line.spans[0][0], line.spans[-1][1])
        for match, line in named_lines
        if match
    )


def _lines(text: str) -> Iterator[MappedText]:
    """A comment between continued lines is none of them, and does not end them."""
    so_far = MappedText()
    for line in LINE.finditer(text):
        body, end = line["body"], line.end("body")
        if body.lstrip()[:1] in ("#", ";"):
            continue
        goes_on = (len(body) - len(body.rstrip("\\"))) % 2
        so_far += map_text(text, line.start(), end - goes_on)
        if goes_on:
            so_far += MappedText(" ", ((end - 1, line.end()),))
        else:
            yield so_far
            so_far = MappedText()
    yield so_far
