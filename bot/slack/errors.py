"""Classify Slack error codes. Pure."""

from slack_sdk.errors import SlackApiError

NEEDS_ADMIN = {  # errors that only a person can fix: seconds until the next try
    "not_in_channel": 300.0,
    "channel_not_found": 300.0,
    "is_archived": 300.0,
}
RATE_LIMITED = 429  # HTTP status; the pause in Retry-After applies to all requests


def surely_not_posted(error: SlackApiError) -> bool:
    """Return whether Slack surely did not post. After another error, such as status 500, it may have."""
    return error_code(error) in NEEDS_ADMIN or error.response.status_code == RATE_LIMITED


def error_code(error: Exception) -> str:
    """Return Slack's error code, such as "not_in_channel"; "" for other exceptions."""
    return str(error.response.get("error", "")) if isinstance(error, SlackApiError) else ""
