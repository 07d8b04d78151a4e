"""Check that a `response_url` belongs to Slack, so that no value in Redis makes the bot post elsewhere. Pure."""

import re
from urllib.parse import SplitResult, urlsplit

HOOKS_HOST = "https://hooks.slack.com"


def accepted_url(url: str, api_url: str) -> str:
    """Return the URL if it is on hooks.slack.com or on the API's host, else "".

    `api_url`: SLACK_API_URL; with https://slack-gov.com/api/, hooks.slack-gov.com is accepted too.
    """
    api = _origin(api_url)
    hooks = (api[0], f"hooks.{api[1]}", api[2]) if api else None
    return url if _origin(url) in {_origin(HOOKS_HOST), api, hooks} - {None} else ""


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host, and port; None if another URL parser could read the URL differently."""
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        return None
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if _is_plain(parts) and parts.hostname else None


def _is_plain(parts: SplitResult) -> bool:
    return parts.scheme in ("http", "https") and "@" not in parts.netloc
