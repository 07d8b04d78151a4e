"""Send a message without its blocks if Slack rejects them."""

from collections.abc import Callable

import structlog
from slack_sdk.errors import SlackApiError

from bot.messages.block_kit import Message, without_containers
from bot.slack.errors import error_code

log = structlog.get_logger()
REJECTED_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
TEXT_ONLY = 1000  # characters kept of each end of a text without blocks; Slack accepts that much of any text


def with_text_fallback(send: Callable[[Message], str], message: Message) -> str:
    """Send the message. If Slack rejects its blocks, unfold its containers, and then send its text alone."""
    unfolded, text = without_containers(message), message.text
    short = text if len(text) <= 2 * TEXT_ONLY else f"{text[:TEXT_ONLY]}\n…\n{text[-TEXT_ONLY:]}"
    for attempt in (message, *([unfolded] if unfolded != message else [])):
        try:
            return send(attempt)
        except SlackApiError as error:
            if error_code(error) not in REJECTED_BLOCKS:
                raise
            log.error("Slack rejected the blocks", error=str(error.response.data), text=text)
    return send(Message(short, ()))
