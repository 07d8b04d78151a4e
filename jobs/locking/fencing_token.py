"""A fencing token: a number that grows with every holder of a lock. Pure."""

import re
from dataclasses import dataclass

MAX_NUMBER = 2**53 - 1  # the highest fencing number: Lua counts no higher without an error
TOKEN_PATTERN = re.compile(
    r"(?P<number>[0-9]+)(?: (?P<run>[A-Za-z0-9_-]{1,64}) (?P<since>[0-9]{1,12}\.[0-9]{1,9})\Z| |\Z)"
)
MAX_DIGITS, BROKEN_COUNT = 16, -1


@dataclass(frozen=True)
class FencingToken:
    """`number`: grows with every holder; `since`: UNIX seconds, and tells jobs apart when Redis has lost count."""

    number: int
    run: str
    since: float

    @property
    def as_words(self) -> tuple[str, str, str]:
        return str(self.number), self.run, f"{self.since:.6f}"

    @property
    def broken(self) -> bool:
        return not 0 <= self.number <= MAX_NUMBER

    @staticmethod
    def parse(text: str) -> "FencingToken":
        """Return 0 for what is none. A number counts whatever follows it, as on a host; one too high is `broken`."""
        found = TOKEN_PATTERN.match(text)
        if not found:
            return FencingToken(0, "", 0)
        number = int(found["number"]) if len(found["number"]) <= MAX_DIGITS else MAX_NUMBER + 1
        return FencingToken(number, found["run"] or "unknown", float(found["since"] or 0))
