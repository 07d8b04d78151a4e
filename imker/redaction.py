"""What looks like a secret, taken out of texts before they are logged, kept or shown. Pure.

It is the last line, for what should not have come that far: nothing relies on it that can do without.
"""

import re
from typing import Any

MASK = "…"
NAMES = r"(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key)[\w.-]*\"?\s*[=:]\s*\"?"
KINDS = re.compile(
    r"SWMTKN-[\w-]+|SWMKEY-[\w-]+|xox[a-z]-[\w-]+|xapp-[\w-]+"
    r"|-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|$)|(?<=://)[^/\s@\"']+(?=@)",
    re.DOTALL,
)
NAMED = re.compile(rf"(?i)((?:\b|(?<=[\w.-])){NAMES})([^\s\"',]+)")  # a value behind a name that says what it is


def redacted(text: str) -> str:
    return NAMED.sub(lambda match: match[1] + MASK, KINDS.sub(MASK, text))


def masked(value: Any) -> Any:
    """The same for all texts of a value; whatever is not plain data is told as its text would be."""
    if isinstance(value, dict):
        return {key: masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(inner) for inner in value]
    return value if isinstance(value, int | float | None) else redacted(str(value))
