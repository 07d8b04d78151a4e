"""Remove and rename members of daemon.json. Every other byte is unchanged. Pure."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from jobs.daemon_options.flags import DATA_ROOT, REMOVED_OPTIONS
from jobs.daemon_options.mapped_text import apply_edits

PATH = "/etc/docker/daemon.json"
REMOVED_KEYS = (*REMOVED_OPTIONS, "cluster-store-opts")
SPACE = re.compile(r"[\ufeff \t\r\n]*")
DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Member:
    """A member of the object: `text[start:end]`. Its key ends at `colon`."""

    key: str
    start: int
    colon: int
    end: int


def parse(text: str) -> Any:
    """Return the parsed JSON, None if it is invalid. An empty file is an empty object, as for the daemon."""
    try:
        return json.loads(text.lstrip("\ufeff").strip() or "{}")
    except ValueError:
        return None


def rewrite(text: str) -> tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return (text, dropped keys, renamed keys). A text that is not a JSON object is unchanged."""
    if not isinstance(parse(text), dict) or not text.strip("\ufeff \t\r\n"):
        return text, (), ()
    text, dropped = _remove_members(text)
    old = [member for member in _find_members(text) if member.key == "graph"]
    if not old or DATA_ROOT in parse(text):
        return text, dropped, ()
    renamed = apply_edits(text, [(member.start, member.colon, json.dumps(DATA_ROOT)) for member in old])
    return renamed, dropped, (("graph", DATA_ROOT),) * len(old)


def _remove_members(text: str) -> tuple[str, tuple[str, ...]]:
    """Remove the members with the keys in REMOVED_KEYS, and their commas, from the end to the start."""
    members = list(_find_members(text))
    removed = [at for at, member in enumerate(members) if member.key in REMOVED_KEYS]
    dropped = tuple(members[at].key for at in removed)
    for at in reversed(removed):
        start, end = members[at].start, members[at].end
        if at + 1 < len(members):
            end = members[at + 1].start
            members[at + 1] = replace(members[at + 1], start=start)
        else:
            start = members[at - 1].end if at else text.index("{") + 1
        text = text[:start] + text[end:]
        del members[at]
    return text, dropped


def _find_members(text: str) -> Iterator[Member]:
    """Yield the members of a text that is a valid JSON object."""
    at = _skip_space(text, _skip_space(text, 0) + 1)
    while text[at] != "}":
        key, colon = DECODER.raw_decode(text, at)
        _, end = DECODER.raw_decode(text, _skip_space(text, _skip_space(text, colon) + 1))
        yield Member(key, at, colon, end)
        at = _skip_space(text, end)
        at = _skip_space(text, at + 1) if text[at] == "," else at


def _skip_space(text: str, at: int) -> int:
    return SPACE.match(text, at).end()  # type: ignore[union-attr]
