"""Takes deliveries in: written down, acknowledged, dealt with, struck off. A bot that dies leaves them to the next."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import RedisError
from slack_bolt import Ack
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot import answers
from bot.desk import Desk
from bot.inbox import Delivery, Inbox
from bot.kit import Answer, Message
from bot.runs import Forged
from imker.audit import RecordBroken
from imker.fault import fault

log = structlog.get_logger()
LATEST = 2.0  # seconds until Slack is told at the latest that it was heard


class Reception:
    """Nothing slow stands before the acknowledgement."""

    def __init__(self, desk: Desk, inbox: Inbox, client: WebClient) -> None:
        self._desk = desk
        self._inbox = inbox
        self._client = client

    def receive(self, delivery: Delivery, ack: Ack) -> None:
        """Slack waits 3 s: where Redis does not answer in time, it is acknowledged first, and told after."""
        fault("inbox.heard")
        late = threading.Timer(LATEST, ack)
        late.start()
        try:
            taken = self.take(delivery)
        finally:
            late.cancel()
            ack()
        fault("inbox.acked")
        if taken:
            self.deal_with(delivery)

    def take(self, delivery: Delivery) -> bool:
        """Whether it is written down; if not, who asked is told."""
        try:
            self._inbox.take(delivery)
            fault("inbox.taken")
        except RedisError:
            log.exception("Redis does not answer")
            _not_started(self._answer(delivery))
            return False
        return True

    def catch_up(self) -> None:
        """What a bot that died has left; asked for now and then. What breaks here would break each bot after it."""
        try:
            for delivery in self._inbox.left():
                try:
                    self.deal_with(delivery)
                except Exception:
                    log.exception("a delivery broke", delivery=delivery.id)
                    self._inbox.done(delivery)
        except RedisError as failed:
            log.warning("Redis does not answer", error=str(failed))

    def deal_with(self, delivery: Delivery) -> None:
        user, channel, text = delivery.user, delivery.channel, delivery.text
        answer, desk = self._answer(delivery), self._desk
        asked = f"/swarm {text}" if delivery.verdict is None else f"button {delivery.verdict} {text}"
        heard = desk.minutes.heard(user, channel, delivery.id, asked, answer)

        def work() -> None:
            if delivery.verdict is None:
                desk.command(delivery, heard)
            else:
                desk.click(delivery, delivery.verdict, heard)
            fault("inbox.dealt")
            self._inbox.done(delivery)

        _guarded(work, heard)

    def _answer(self, delivery: Delivery) -> Answer:
        """To who asked, and to nobody else."""

        def send(message: Message) -> None:
            blocks_of = list(message.blocks)
            if delivery.url:
                WebhookClient(delivery.url).send(
                    text=message.text, blocks=blocks_of, response_type="ephemeral", replace_original=False
                )
            else:
                self._client.chat_postEphemeral(
                    channel=delivery.channel, user=delivery.user, text=message.text, blocks=blocks_of
                )

        return _privately(send)


def _privately(send: Callable[[Message], Any]) -> Answer:
    def answer(message: Message) -> None:
        try:
            send(message)
        except (SlackClientError, OSError) as failed:
            log.warning("could not answer", error=str(failed))

    return answer


def _not_started(answer: Answer) -> None:
    answer(answers.said("Not started: Redis does not answer. Nothing was changed; try again in a minute."))


def _guarded(work: Callable[[], None], answer: Answer) -> None:
    """A command that could not be recorded is refused in words; it was not started."""
    try:
        work()
    except RedisError:
        log.exception("Redis does not answer")
        _not_started(answer)
    except Forged as forged:
        log.warning("forged", what=str(forged))
        answer(answers.note(f"Not done: {forged}. Nothing was changed; ask anew, and see who can write to Redis."))
    except RecordBroken:
        log.exception("the record takes no entry")
        answer(
            answers.said("Not started: the record takes no entry. `python -m bot audit verify` says where it breaks.")
        )
