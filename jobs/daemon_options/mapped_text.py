"""A text as its reader gets it, each character with the stretch of the file that it stands for. Pure.

So an edit can be made where an option stands, however many quotes and continuation lines lie between.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

Edit = tuple[int, int, str]  # the file's stretch, and what is to stand there


@dataclass(frozen=True)
class MappedText:
    """`spans[n]`: where in the file the character `text[n]` comes from."""

    text: str = ""
    spans: tuple[tuple[int, int], ...] = ()

    def __getitem__(self, part: slice) -> "MappedText":
        return MappedText(self.text[part], self.spans[part])

    def __add__(self, other: "MappedText") -> "MappedText":
        return MappedText(self.text + other.text, self.spans + other.spans)

    @property
    def is_contiguous(self) -> bool:
        """Whether nothing that is no part of it, as a comment, stands between its characters in the file."""
        return all(first[1] == second[0] for first, second in pairwise(self.spans))

    def removal_edits(self) -> list[Edit]:
        return [(start, end, "") for start, end in self.spans]


@dataclass(frozen=True)
class Entry:
    """A directive or a variable: `file[start:end]`, with its value as its reader gets it."""

    name: str
    value: MappedText
    start: int
    end: int


def map_text(text: str, start: int, end: int) -> MappedText:
    """`text[start:end]`, each character standing for itself."""
    return MappedText(text[start:end], tuple((place, place + 1) for place in range(start, end)))


def edited(text: str, edits: Iterable[Edit]) -> str:
    """From the end to the start, so that the places of the others stay true."""
    for start, end, new in sorted(set(edits), reverse=True):
        text = text[:start] + new + text[end:]
    return text
