"""Define the fencing token: a number that grows with every holder of a lock. Pure."""

import re
from dataclasses import dataclass

MAX_NUMBER = 2**53 - 1  # the highest fencing number that Lua can increment exactly
TOKEN_PATTERN = re.compile(
    r"(?P<number>[0-9]+)(?: (?P<run>[A-Za-z0-9_-]{1,64}) (?P<since>[0-9]{1,12}\.[0-9]{1,9})\Z| |\Z)"
)
MAX_DIGITS = 16  # of a number in a token
BROKEN_COUNT = -1  # a script's reply when the counter in Redis is invalid


@dataclass(frozen=True)
class FencingToken:
    """`number`: grows with every holder. `since`: UNIX seconds, distinguishes jobs when Redis has lost its counter."""

    number: int
    run: str
    since: float

    @property
    def as_words(self) -> tuple[str, str, str]:
        """Return the token as it is stored on a host: number, run, and time."""
        return str(self.number), self.run, f"{self.since:.6f}"

    @property
    def broken(self) -> bool:
        """Return whether no run can have this number."""
        return not 0 <= self.number <= MAX_NUMBER

    @staticmethod
    def parse(text: str) -> "FencingToken":
        """Parse a stored token. Text that is no token has the number 0, a number that is too high is `broken`.

        As on a host, a number counts whatever text follows it.
        """
        match = TOKEN_PATTERN.match(text)
        if not match:
            return FencingToken(0, "", 0)
        number = int(match["number"]) if len(match["number"]) <= MAX_DIGITS else MAX_NUMBER + 1
        return FencingToken(number, match["run"] or "unknown", float(match["since"] or 0))
