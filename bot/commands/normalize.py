"""What was typed, on whatever device, and linked by Slack on its way: in to what was meant, out. Pure."""

import re
import unicodedata

DASHES = "\u2010-\u2015\u2212\ufe58\ufe63\uff0d"  # what phones and word processors make of a hyphen, or of two


def normalize(text: str) -> str:
    """As typed on a phone or linked by Slack, to what was meant. A leading mention of the bot goes, and `/swarm`."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"^\s*<@[UW][A-Z0-9]+(?:\|[^>]*)?>[\s:,]*", "", text)
    text = re.sub(r"^\s*/?swarm(?!\S)", "", text, flags=re.IGNORECASE)
    while (simpler := _simplify_once(text)) != text:
        text = simpler
    return text


def _simplify_once(text: str) -> str:
    """Links to their names; no quotes nor invisible characters; hyphens of all kinds to those of flags and names."""
    text = re.sub(r"<(?:https?|mailto|ssh):[^<|>]*\|([^<>]*)>", r"\1", text)
    text = re.sub(r"<(?:https?://)?([^<|>@!#\s]*?)/?>", r"\1", text)
    text = re.sub("[\u200b-\u200f\u2060\ufeff]", "", text)
    text = unicodedata.normalize("NFC", re.sub("[\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]", "", text))
    text = re.sub(rf"(?<=\w)[{DASHES}](?=\w)", "-", text)
    return re.sub(rf"(?<!\S)[-{DASHES}][-{DASHES}\s]*", _two, text)


def _two(run: re.Match[str]) -> str:
    """Return two hyphens for a run of dashes, but for a single hyphen, before a word. A run is matched whole: once."""
    more = "--" in run[0] or re.search(f"[{DASHES}]", run[0])
    return "--" if more and re.match(r"\w", run.string[run.end() : run.end() + 1]) else run[0]
