"""Reply to one user in private: by `response_url`, in a modal, or in the channel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import RedisError
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.handlers.delivery import Delivery
from bot.messages.block_kit import Message, Reply
from bot.messages.views.form import notice
from bot.slack import tls
from bot.slack.response_url import accepted_url

log = structlog.get_logger()


@dataclass(frozen=True)
class PrivateReplies:
    """Send replies. An error of Slack is logged. `add_references`: adds links to runs, and marks hosts as code."""

    client: WebClient
    api_url: str
    add_references: Callable[[Message], Message]

    def to(self, delivery: Delivery) -> Reply:
        """Return a private reply to the requester."""

        def send(plain: Message) -> None:
            message = self._with_references(plain)
            blocks = list(message.blocks)
            if url := accepted_url(delivery.response_url, self.api_url):
                WebhookClient(url, ssl=tls.context_for(url)).send(
                    text=message.text, blocks=blocks, response_type="ephemeral", replace_original=False
                )
            elif not (delivery.trigger_id and self._open_notice(delivery, message)):
                self.client.chat_postEphemeral(
                    channel=delivery.channel, user=delivery.user, text=message.text, blocks=blocks
                )

        return _log_send_errors(send)

    def _open_notice(self, delivery: Delivery, message: Message) -> bool:
        """Show the reply in a modal, and return whether Slack opened it: a trigger is valid for three seconds."""
        try:
            self.client.views_open(trigger_id=delivery.trigger_id, view=notice(message))
        except (SlackClientError, OSError) as error:
            log.info("could not open a modal", error=str(error))
            return False
        return True

    def _with_references(self, message: Message) -> Message:
        """Return the message with its references, or as it is while Redis does not respond."""
        try:
            return self.add_references(message)
        except RedisError as error:
            log.warning("a reply without links", error=str(error))
            return message


def _log_send_errors(send: Callable[[Message], Any]) -> Reply:
    def reply(message: Message) -> None:
        try:
            send(message)
        except (SlackClientError, OSError) as error:
            log.warning("could not reply", error=str(error))

    return reply
