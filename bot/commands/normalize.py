"""Normalize command text: remove mentions, Slack links, quotes, and smart dashes. Pure."""

import re
import unicodedata

DASHES = "\u2010-\u2015\u2212\ufe58\ufe63\uff0d"  # what phones and word processors substitute for one or two hyphens


def normalize(text: str) -> str:
    """Return the text as it was meant, without a leading mention of the bot or `/swarm`. Idempotent."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"^\s*<@[UW][A-Z0-9]+(?:\|[^>]*)?>[\s:,]*", "", text)
    text = re.sub(r"^\s*/?swarm(?!\S)", "", text, flags=re.IGNORECASE)
    while (simpler := _simplify_once(text)) != text:
        text = simpler
    return text


def _simplify_once(text: str) -> str:
    """Replace links by their names and dashes by hyphens; remove quotes and invisible characters."""
    text = re.sub(r"<(?:https?|mailto|ssh):[^<|>]*\|([^<>]*)>", r"\1", text)
    text = re.sub(r"<(?:https?://)?([^<|>@!#\s]*?)/?>", r"\1", text)
    text = re.sub("[\u200b-\u200f\u2060\ufeff]", "", text)
    text = unicodedata.normalize("NFC", re.sub("[\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]", "", text))
    text = re.sub(rf"(?<=\w)[{DASHES}](?=\w)", "-", text)
    return re.sub(rf"(?<!\S)[-{DASHES}][-{DASHES}\s]*", _hyphens, text)


def _hyphens(run: re.Match[str]) -> str:
    """Return two hyphens for dashes before a word. A single hyphen, and dashes before no word, stay as they are."""
    is_long_flag = "--" in run[0] or re.search(f"[{DASHES}]", run[0])
    return "--" if is_long_flag and re.match(r"\w", run.string[run.end() : run.end() + 1]) else run[0]
