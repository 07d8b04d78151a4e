"""Parse the answer of a script that prints named sections, each with its length and exit status. Pure.

The answer is a line "LENGTH STATUS NAME" for each section, an empty line, and the outputs one after the other. A host
may answer anything: what is not exactly of this form raises MalformedAnswer.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

MAX_SECTIONS = 2000
HEADER_LINE = re.compile(rb"([0-9]{1,8}) ([0-9]{1,3}) ([^\n]{1,4096})")


class MalformedAnswer(ValueError):
    """The answer is not a list of sections, or lacks one."""


@dataclass(frozen=True)
class Section:
    """The output of one command of the script, and its exit status."""

    status: int
    raw: bytes

    @property
    def text(self) -> str:
        """Return the output. Bytes that are not UTF-8 are replaced."""
        return self.raw.decode(errors="replace")

    @property
    def file_text(self) -> str | None:
        """Return a file's text, None if it was not read. Bytes that are not UTF-8 survive writing it back."""
        return None if self.status else self.raw.decode(errors="surrogateescape")


Sections = Mapping[str, Section]


def parse_sections(answer: bytes, expected: Collection[str]) -> dict[str, Section]:
    """Return the sections by name. `expected`: names that must be among them."""
    header, separator, outputs = answer.partition(b"\n\n")
    lines = header.split(b"\n", MAX_SECTIONS)
    if not separator or len(lines) > MAX_SECTIONS:
        raise MalformedAnswer("no list of sections")
    sections = dict(_cut_sections([_parse_header(line) for line in lines], outputs))
    missing = [name for name in expected if name not in sections]
    if missing or len(sections) < len(lines):
        raise MalformedAnswer(f"no section {missing[0]}" if missing else "two sections of one name")
    return sections


def _parse_header(line: bytes) -> tuple[int, int, str]:
    match = HEADER_LINE.fullmatch(line)
    if not match:
        raise MalformedAnswer("an invalid header")
    return int(match[1]), int(match[2]), match[3].decode(errors="surrogateescape")


def _cut_sections(headers: list[tuple[int, int, str]], outputs: bytes) -> Iterator[tuple[str, Section]]:
    if sum(length for length, _, _ in headers) != len(outputs):
        raise MalformedAnswer("outputs of another length")
    position = 0
    for length, status, name in headers:
        yield name, Section(status, outputs[position : position + length])
        position += length
