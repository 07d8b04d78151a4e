"""Map each character of a parsed text to its position in the file, like a source map. Pure.

So an option can be edited in place, even with quotes and continuation lines in between.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

Edit = tuple[int, int, str]  # (start, end, new text) in the file


@dataclass(frozen=True)
class MappedText:
    """A parsed text. `spans[n]`: (start, end) in the file of the character `text[n]`."""

    text: str = ""
    spans: tuple[tuple[int, int], ...] = ()

    def __getitem__(self, part: slice) -> "MappedText":
        return MappedText(self.text[part], self.spans[part])

    def __add__(self, other: "MappedText") -> "MappedText":
        return MappedText(self.text + other.text, self.spans + other.spans)

    @property
    def is_contiguous(self) -> bool:
        """Return whether its characters are adjacent in the file, without a comment in between, for example."""
        return all(first[1] == second[0] for first, second in pairwise(self.spans))

    def removal_edits(self) -> list[Edit]:
        """Return the edits that remove this text from the file."""
        return [(start, end, "") for start, end in self.spans]


@dataclass(frozen=True)
class Entry:
    """A directive or a variable, with its parsed value. `start`, `end`: its position in the file."""

    name: str
    value: MappedText
    start: int
    end: int


def map_text(text: str, start: int, end: int) -> MappedText:
    """Return `text[start:end]`, with each character mapped to itself."""
    return MappedText(text[start:end], tuple((at, at + 1) for at in range(start, end)))


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits, applied from the end to the start so that positions stay valid."""
    for start, end, new in sorted(set(edits), reverse=True):
        text = text[:start] + new + text[end:]
    return text
