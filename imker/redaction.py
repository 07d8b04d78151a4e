"""Mask secrets in texts before they are logged, stored, or shown. Pure.

This is the last line of defense: nothing may rely on it alone. All repetitions in the patterns are bounded, because a
host can send any text of any length.
"""

import re
from typing import Any

MASK = "…"
OUTPUT_LENGTH = 8_000  # characters of a command's output that are kept
MAX_LENGTH, CUT_MARGIN = 2**18, 1000  # characters of a text; of its end that may be half of a secret
MAX_SECRET_LENGTH = 200  # characters of a secret on one line
SENSITIVE_NAMES = (  # names of fields
    r"(?:token|secret|passw(?:or)?d|passphrase|(?<![a-z])pass(?![a-z])|(?<![a-z])pwd|(?<![a-z])auth(?![a-z])"
    r"|credentials?|(?:api|access|private)[_-]?key|(?<=[?&])sig)[\w.-]{0,40}"
)
QUOTED_VALUE = rf"(?:(?!\2)(?:\\.|[^\n])){{0,{MAX_SECRET_LENGTH}}}"  # up to its closing quote, group 2
BARE_VALUE = r"(?:[|>][-+]?[ \t]*\n(?:[ \t]+\S.*\n?)+|[^\s\"]+)"  # or a block of YAML
SECRET_VALUE = rf"(\\\"|\"|')?(?(2){QUOTED_VALUE}|{BARE_VALUE})"
START = r"(?:(?<![a-z0-9])|(?<=%[0-9a-f]{2}))"  # not within a word; a percent-encoded character ends one
RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement + MASK)
    for pattern, replacement in (
        # Secrets with a known form.
        (r"SWMTKN-[\w-]+|SWMKEY-[\w-]+|xox[a-z]-[\w-]+|xapp-[\w-]+", ""),
        (rf"{START}(?:gh[pousr]_[a-z0-9]{{20,}}|github_pat_\w{{20,}}|glpat-[\w-]{{20,}})", ""),
        (rf"{START}(?-i:(?:AKIA|ASIA)[A-Z0-9]{{16}})(?![a-z0-9])", ""),
        (rf"{START}(?-i:eyJ)[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*){{1,3}}", ""),  # a JWT, signed or encrypted
        (r"(hooks\.slack(?:-gov)?\.com(?:\\?/|%2F)[a-z]{1,20}(?:\\?/|%2F))[\w/\\%-]+", r"\1"),
        (r"-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|\Z)", ""),
        # User and password before a host, with and without a scheme. A password may contain @, /, and '.
        (
            rf"(:(?:\\?/){{2}})(?=[^\s@]{{0,270}}+@)(?:[^\s\"/@:]{{0,64}}:(?:\\\"|[^\s\"]){{0,{MAX_SECRET_LENGTH}}}|[^/\s@\"']{{1,{MAX_SECRET_LENGTH}}})(?=@)",
            r"\1",
        ),
        (
            rf"(?<![^\s\"'`=,;|&<(\[{{])(//)?[\w.%+~-]{{1,64}}:(?!\\?/)[^\s\"…]{{1,{MAX_SECRET_LENGTH}}}(?=@(?!sha\d+:))",
            r"\1",
        ),
        # A value after a name that says it is secret: quoted with its name, after = or :, or after a flag.
        (rf"(\"[\w.-]{{0,40}}{SENSITIVE_NAMES}=)(?![\"'\\])[^\"\n]{{0,{MAX_SECRET_LENGTH}}}", r"\1"),
        (r"(\bauthorization\\?[\"']?\s{0,9}[=:]\s{0,9}\\?[\"']?(?:(?:basic|bearer)\s{1,9})?)[^\s\"']+", r"\1"),
        (rf"({SENSITIVE_NAMES}\\?[\"']?\s{{0,9}}[=:]\s{{0,9}}){SECRET_VALUE}", r"\1\2"),
        (rf"((?<!-)--(?:log-opt\s{{1,9}})?[\w-]{{0,40}}{SENSITIVE_NAMES}\s{{1,9}})(?!-){SECRET_VALUE}", r"\1\2"),
    )
)


def redact(text: str) -> str:
    """Mask secrets. Shorten a long text, without its end, which may be half of a secret."""
    if len(text) > MAX_LENGTH:
        return redact(text[: MAX_LENGTH - 1])[:-CUT_MARGIN] + MASK
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def redact_output(text: str) -> str:
    """Mask secrets, then return the end of the text. The other way round, half of a secret could remain."""
    return redact(text[-MAX_LENGTH + 1 :])[-OUTPUT_LENGTH:]


def redact_value(value: Any) -> Any:
    """Mask secrets in all strings of a value. Objects that are no plain data become their masked text."""
    if isinstance(value, dict):
        return {key: redact_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(inner) for inner in value]
    return value if isinstance(value, int | float | None) else redact(str(value))
