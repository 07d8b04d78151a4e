"""What looks like a secret, taken out of texts before they are logged, kept or shown. Pure.

It is the last line, for what should not have come that far: nothing relies on it that can do without. All repeats are
bounded: a host may say anything, at any length.
"""

import re
from typing import Any

MASK = "…"
KEPT, HALF = 2**18, 1000  # characters of a text that are kept, and of its end that a secret may take
MAX_SECRET_LENGTH = 200  # characters of a secret on one line
SENSITIVE_NAMES = (  # names of fields
    r"(?:token|secret|passw(?:or)?d|passphrase|(?<![a-z])pass(?![a-z])|(?<![a-z])pwd|(?<![a-z])auth(?![a-z])"
    r"|credentials?|(?:api|access|private)[_-]?key|(?<=[?&])sig)[\w.-]{0,40}"
)
QUOTED_VALUE = rf"(?:(?!\2)(?:\\.|[^\n])){{0,{MAX_SECRET_LENGTH}}}"  # up to the quote that it began with, group 2
BARE_VALUE = r"(?:[|>][-+]?[ \t]*\n(?:[ \t]+\S.*\n?)+|[^\s\"]+)"  # or a block of YAML
SECRET_VALUE = rf"(\\\"|\"|')?(?(2){QUOTED_VALUE}|{BARE_VALUE})"
RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement + MASK)
    for pattern, replacement in (
        # What is known by how it looks.
        (r"SWMTKN-[\w-]+|SWMKEY-[\w-]+|xox[a-z]-[\w-]+|xapp-[\w-]+", ""),
        (r"-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|\Z)", ""),
        # A user and a password before a host, with a scheme and without one; a password may hold @, / and '.
        (
            rf"(:(?:\\?/){{2}})(?=[^\s@]{{0,270}}+@)(?:[^\s\"/@:]{{0,64}}:(?:\\\"|[^\s\"]){{0,{MAX_SECRET_LENGTH}}}|[^/\s@\"']{{1,{MAX_SECRET_LENGTH}}})(?=@)",
            r"\1",
        ),
        (
            rf"(?<![^\s\"'`=,;|&<(\[{{])(//)?[\w.%+~-]{{1,64}}:(?!\\?/)[^\s\"…]{{1,{MAX_SECRET_LENGTH}}}(?=@(?!sha\d+:))",
            r"\1",
        ),
        # A value behind a name that says what it is: quoted with its name, behind = or :, or behind a flag.
        (rf"(\"[\w.-]{{0,40}}{SENSITIVE_NAMES}=)(?![\"'\\])[^\"\n]{{0,{MAX_SECRET_LENGTH}}}", r"\1"),
        (r"(\bauthorization\\?[\"']?\s{0,9}[=:]\s{0,9}\\?[\"']?(?:(?:basic|bearer)\s{1,9})?)[^\s\"']+", r"\1"),
        (rf"({SENSITIVE_NAMES}\\?[\"']?\s{{0,9}}[=:]\s{{0,9}}){SECRET_VALUE}", r"\1\2"),
        (rf"((?<!-)--(?:log-opt\s{{1,9}})?[\w-]{{0,40}}{SENSITIVE_NAMES}\s{{1,9}})(?!-){SECRET_VALUE}", r"\1\2"),
    )
)


def redact(text: str) -> str:
    """Mask secrets. Of a long text only the beginning is left, without the end, which may be half of a secret."""
    if len(text) > KEPT:
        return redact(text[: KEPT - 1])[:-HALF] + MASK
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def redact_value(value: Any) -> Any:
    """The same for all texts of a value; whatever is not plain data is told as its text would be."""
    if isinstance(value, dict):
        return {key: redact_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(inner) for inner in value]
    return value if isinstance(value, int | float | None) else redact(str(value))
