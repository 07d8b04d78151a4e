"""daemon.json: keys leave or get their new name; the others keep their order, values, and the file its indentation."""

import json
import re
from typing import Any

GONE = ("cluster-store", "cluster-advertise", "cluster-store-opts", "live-restore")
RENAMED = {"graph": "data-root"}


def rewritten(text: str) -> tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]:
    """(text, dropped, mapped); a text that is no JSON object stays as it is: a finding says so."""
    try:
        document = json.loads(text.lstrip("\ufeff") or "{}", object_pairs_hook=_Pairs)
    except ValueError:
        return text, (), ()
    if not isinstance(document, _Pairs):
        return text, (), ()
    dropped = tuple(key for key, _ in document if key in GONE)
    mapped = tuple((key, RENAMED[key]) for key, _ in document if key in RENAMED)
    if not dropped and not mapped:
        return text, (), ()
    kept = {RENAMED.get(key, key): value for key, value in document if key not in GONE}
    return _written(kept, text), dropped, mapped


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it stands, duplicate keys included."""


def _written(document: dict[str, Any], like: str) -> str:
    indented = re.search(r"\n([ \t]+)\"", like)
    indent = indented.group(1) if indented else None
    separators = None if indent or '": ' in like else (",", ":")
    text = json.dumps(_plain(document), indent=indent, separators=separators, ensure_ascii=False)
    return text + ("\n" if like.endswith("\n") else "")


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {key: _plain(inner) for key, inner in value}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
