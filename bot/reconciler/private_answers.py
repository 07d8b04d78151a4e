"""Send the answer of a private run to its requester, once at the end."""

import hashlib

from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from bot.messages.block_kit import Message
from bot.messages.runs.private_answer import private_answer
from bot.reconciler.text_fallback import with_text_fallback
from bot.records import RunRecord
from bot.runs.posted_messages import SHOWN, PostedFields
from bot.runs.store import RunStore
from bot.slack import tls
from bot.slack.response_url import accepted_url
from bot.state.run_state import RunState

ANSWERED = "answered"  # the field with the outcome that the requester has


class PrivateAnswers:
    """Answer through the `response_url`, or with an ephemeral message once Slack no longer accepts that."""

    def __init__(self, runs: RunStore, client: WebClient, api_url: str) -> None:
        self._runs = runs
        self._client = client
        self._api_url = api_url

    def publish(self, state: RunState, message: Message, is_final: bool, fields: PostedFields) -> bool:
        """Send the final message. Return True: nothing is sent before.

        After a crash between sending and saving it is sent again: a second answer is better than none.
        """
        outcome = hashlib.sha256(repr((state.status, state.outcome)).encode()).hexdigest()[:16]
        if is_final and fields.get(ANSWERED) != outcome:
            self.send(state.record, private_answer(state.record, message))
            self._runs.posted_messages.save(state.record.run, fields, **{ANSWERED: outcome})
        return True

    def send(self, record: RunRecord, message: Message) -> None:
        """Send a message that only the requester sees."""
        url = accepted_url(self._runs.response_url(record.run), self._api_url)
        if not url or not _is_accepted(WebhookClient(url, ssl=tls.context_for(url)), message):
            with_text_fallback(lambda fitting: self._send_ephemeral(record, fitting), message)

    def _send_ephemeral(self, record: RunRecord, message: Message) -> str:
        blocks = list(message.blocks)
        answer = self._client.chat_postEphemeral(
            channel=record.channel, user=record.requester, text=message.text, blocks=blocks
        )
        return str(answer["message_ts"])


def is_private(record: RunRecord, fields: PostedFields) -> bool:
    """Return whether only the requester may see the run's message."""
    return record.is_private and SHOWN not in fields


def _is_accepted(client: WebhookClient, message: Message) -> bool:
    blocks = list(message.blocks)
    answer = client.send(text=message.text, blocks=blocks, response_type="ephemeral", replace_original=False)
    return answer.status_code == 200
