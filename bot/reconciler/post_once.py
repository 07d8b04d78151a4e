"""Post to Slack at most once, also when the reply to a post is lost or the reconciler crashes.

The attempt is saved before the first try. A later try first looks in Slack for what the earlier one may have posted.
"""

from collections.abc import Callable
from typing import NamedTuple

from slack_sdk.errors import SlackApiError

from bot.runs.posted_messages import PostedFields
from bot.slack.errors import surely_not_posted


class PostResult(NamedTuple):
    """`value`: what was found or sent, such as a message's ts; `is_new`: whether it was sent just now."""

    value: str
    is_new: bool


def post_once(
    fields: PostedFields, save: Callable[..., None], key: str, find: Callable[[], str], send: Callable[[], str]
) -> PostResult:
    """Post what `key` names, unless it was posted before.

    `fields`: the fields of the run as saved; `save`: writes such fields; `find`: the value in Slack, "" if it is not
    there; `send`: posts it. Raises what these raise; calling again is safe.
    """
    if key in fields:
        return PostResult(fields[key], False)
    attempt = f"{key} tried"
    result = try_once(fields.was_tried(attempt), lambda tried: save(**{attempt: "1" if tried else ""}), find, send)
    save(**{key: result.value})
    return result


def try_once(
    was_tried: bool, mark: Callable[[bool], None], find: Callable[[], str], send: Callable[[], str]
) -> PostResult:
    """Find the result of an earlier attempt, or send. `mark`: saves whether an attempt may have reached Slack."""
    if was_tried and (value := find()):
        return PostResult(value, False)
    mark(True)
    try:
        return PostResult(send(), True)
    except SlackApiError as error:
        if surely_not_posted(error):
            mark(False)
        raise
