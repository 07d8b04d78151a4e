"""Decide whether a `response_url` is one of Slack's, so that nothing in Redis makes the bot post elsewhere. Pure."""

import re
from urllib.parse import SplitResult, urlsplit

HOOKS_HOST = "https://hooks.slack.com"


def accepted_url(url: str, api_url: str) -> str:
    """Return the URL if it is at hooks.slack.com or where the API is, else "".

    `api_url`: as SLACK_API_URL; at https://slack-gov.com/api/ its hooks.slack-gov.com is accepted too.
    """
    api = _origin(api_url)
    hooks = (api[0], f"hooks.{api[1]}", api[2]) if api else None
    return url if _origin(url) in {_origin(HOOKS_HOST), api, hooks} - {None} else ""


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port; None for what another reader of URLs might understand differently."""
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        return None
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if _is_plain(parts) and parts.hostname else None


def _is_plain(parts: SplitResult) -> bool:
    return parts.scheme in ("http", "https") and "@" not in parts.netloc
