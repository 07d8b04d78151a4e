"""Where options stand in a file: the stretches of text that a daemon gets to see. Comments are none."""

import re
from dataclasses import dataclass

# NAME=value or NAME="value over many lines"; a commented line is no assignment.
ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)=(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|(?:[^\s"'\\]|\\.)*)""",
    re.MULTILINE | re.DOTALL,
)
DIRECTIVE = re.compile(r"^[ \t]*(?P<name>\w+)[ \t]*=(?P<value>(?:[^\n\\]|\\\r?\n|\\.)*)", re.MULTILINE)


@dataclass(frozen=True)
class Stretch:
    """`text[start:end]` is the value of `name`; `quote` encloses it, "" if nothing does."""

    name: str
    start: int
    end: int
    quote: str = ""


def assignments(text: str) -> tuple[Stretch, ...]:
    """Of an environment file such as /etc/default/docker; quotes are left outside."""
    return tuple(_unquoted(match) for match in ASSIGNMENT.finditer(text))


def directives(text: str) -> tuple[Stretch, ...]:
    """Of a unit file: ExecStart and its like, each with its continuation lines."""
    return tuple(Stretch(match["name"], *match.span("value")) for match in DIRECTIVE.finditer(text))


def _unquoted(match: re.Match[str]) -> Stretch:
    start, end = match.span("value")
    quote = match["value"][:1] if match["value"][:1] in ("'", '"') and match["value"][:1] else ""
    return Stretch(match["name"], start + len(quote), end - len(quote), quote)
