"""Classify Slack error codes. Pure."""

from slack_sdk.errors import SlackApiError

NEEDS_ADMIN = {  # what only a person can mend: seconds until it is tried again
    "not_in_channel": 300.0,
    "channel_not_found": 300.0,
    "is_archived": 300.0,
}
TEMPORARY_ERRORS, ALL_REQUESTS = 429, ""  # Slack's status when it asks for a pause, which is one for all there is


def surely_not_posted(error: SlackApiError) -> bool:
    """Whether Slack surely took nothing of it; of an error of its own it may have."""
    return error_code(error) in NEEDS_ADMIN or error.response.status_code == TEMPORARY_ERRORS


def error_code(error: Exception) -> str:
    """Slack's own word for why it refuses, "" when it said nothing."""
    return str(error.response.get("error", "")) if isinstance(error, SlackApiError) else ""
