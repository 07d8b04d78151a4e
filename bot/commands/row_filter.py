"""Read the filter of a table, such as `role=manager,status=down,web-*`, and match rows with it. Pure."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

MAX_CONDITIONS = 10
MAX_ECHOED = 40  # characters of a mistyped condition in the reply
VALUE = re.compile(r"[a-z0-9*?_.+:-]{1,63}", re.ASCII)
KEYS = {  # by command; a condition without a key is a pattern of a name
    "nodes": ("role", "status", "availability", "membership", "engine"),
    "hosts": ("role", "status", "engine"),
    "services": ("status", "mode", "stack"),
}


@dataclass(frozen=True)
class RowFilter:
    """Conditions as (key, pattern) in lower case. Those with one key are alternatives, and each key must match."""

    conditions: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """Return the filter as users type it."""
        return ",".join(pattern if key == "name" else f"{key}={pattern}" for key, pattern in self.conditions)

    def matches(self, values: Mapping[str, str]) -> bool:
        """Return whether a row matches. `values`: the row's value of each key, and its "name"."""
        keys = {key for key, _ in self.conditions}
        return all(self._matches_key(key, values.get(key, "").lower()) for key in keys)

    def _matches_key(self, key: str, value: str) -> bool:
        return any(fnmatchcase(value, pattern) for each, pattern in self.conditions if each == key)


def parse_filter(text: str, keys: tuple[str, ...]) -> RowFilter | str:
    """Return the filter, or what is wrong with it. `keys`: the known keys."""
    conditions = [_condition(word) for word in re.split(r"[,\s]+", text.lower()) if word]
    if not conditions:
        return "specify a filter, such as role=manager"
    if len(conditions) > MAX_CONDITIONS:
        return f"specify at most {MAX_CONDITIONS} conditions"
    problems = (_problem(key, pattern, keys) for key, pattern in conditions)
    return next(filter(None, problems), "") or RowFilter(tuple(dict.fromkeys(conditions)))


def _condition(word: str) -> tuple[str, str]:
    key, equals, pattern = word.partition("=")
    return (key, pattern) if equals else ("name", key)


def _problem(key: str, pattern: str, keys: tuple[str, ...]) -> str:
    if key not in (*keys, "name"):
        suggestions = difflib.get_close_matches(key, keys, 1)
        hint = f"did you mean {suggestions[0]}?" if suggestions else f"use {', '.join(keys)}, or a name"
        return f"unknown condition {key[:MAX_ECHOED]}; {hint}"
    return "" if VALUE.fullmatch(pattern) else f"invalid {key} in the filter"
