"""A text as its reader gets it, each character with the stretch of the file that it stands for. Pure.

So an edit can be made where an option stands, however many quotes and continuation lines lie between.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

Edit = tuple[int, int, str]  # the file's stretch, and what is to stand there


@dataclass(frozen=True)
class Traced:
    """`spans[n]`: where in the file the character `text[n]` comes from."""

    text: str = ""
    spans: tuple[tuple[int, int], ...] = ()

    def __getitem__(self, part: slice) -> "Traced":
        return Traced(self.text[part], self.spans[part])

    def __add__(self, other: "Traced") -> "Traced":
        return Traced(self.text + other.text, self.spans + other.spans)

    @property
    def whole(self) -> bool:
        """Whether nothing that is no part of it, as a comment, stands between its characters in the file."""
        return all(one[1] == two[0] for one, two in pairwise(self.spans))

    def removed(self) -> list[Edit]:
        return [(start, end, "") for start, end in self.spans]


@dataclass(frozen=True)
class Place:
    """A directive or a variable: `file[start:end]`, with its value as its reader gets it."""

    name: str
    value: Traced
    start: int
    end: int


def traced(text: str, start: int, end: int) -> Traced:
    """`text[start:end]`, each character standing for itself."""
    return Traced(text[start:end], tuple((place, place + 1) for place in range(start, end)))


def edited(text: str, edits: Iterable[Edit]) -> str:
    """From the end to the start, so that the places of the others stay true."""
    for start, end, new in sorted(set(edits), reverse=True):
        text = text[:start] + new + text[end:]
    return text
