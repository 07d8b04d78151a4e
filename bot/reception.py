"""Takes deliveries in: written down, acknowledged, dealt with, struck off. A bot that dies leaves them to the next."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from redis.exceptions import RedisError
from slack_bolt import Ack
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot import answers
from bot.decisions import Forged, Newer
from bot.desk import Desk
from bot.inbox import Delivery, Inbox
from bot.kit import Answer, Message
from bot.limit import Limit
from bot.response_url import accepted
from bot.settings import SLACK
from imker.audit import RecordBroken
from imker.fault import fault
from imker.outage import outage, refused

log = structlog.get_logger()
REFUSES = "Redis refuses it; the bot's log says why"
BROKE = "Imker itself broke over it; the bot's log has the traceback. /swarm status shows what was begun."
UNSURE = "Heard, and not written down yet: Redis is slow. If no word follows, look at /swarm status and ask again."
LATEST = 2.0  # seconds until Slack is told at the latest that it was heard


class Reception:
    """Nothing slow stands before the acknowledgement."""

    def __init__(self, desk: Desk, inbox: Inbox, client: WebClient, limit: Limit, api_url: str = SLACK) -> None:
        self._desk = desk
        self._inbox = inbox
        self._client = client
        self._limit = limit
        self._api_url = api_url
        self._in_hand: set[str] = set()  # deliveries that this process has taken and not finished

    def receive(self, delivery: Delivery, ack: Ack) -> None:
        """Slack waits 3 s: where Redis does not answer in time, it is told that this is no promise yet."""
        delivery = replace(delivery, url=accepted(delivery.url, self._api_url))
        fault("inbox.heard")
        late = threading.Timer(LATEST, partial(ack, UNSURE) if delivery.kind == "command" else ack)
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
        """Whether it is written down; if not, who asked is told. From now on `deal_with` has it, and not `catch_up`."""
        try:
            if not self._in_bounds(delivery):
                return False
            self._in_hand.add(delivery.id)
            self._inbox.take(delivery)
            fault("inbox.taken")
        except RedisError as failed:
            self._in_hand.discard(delivery.id)
            log.warning("could not be written down", delivery=delivery.id, error=str(failed))
            self._answer(delivery)(answers.not_taken(outage(failed) or REFUSES, refused(failed)))
            return False
        return True

    def _in_bounds(self, delivery: Delivery) -> bool:
        """Whoever fills Redis would stop all others. Each is answered; the record has one of them a minute."""
        judged, answer = self._limit.judge(delivery.user), self._answer(delivery)
        if judged != "taken":
            told = self._heard(delivery) if judged == "first" else answer
            _guarded(lambda: told(answers.too_often(self._limit.most)), answer)
        return judged == "taken"

    def catch_up(self) -> None:
        """What a bot that died has left; asked for now and then. What breaks here would break each bot after it.

        What this bot is still at is left to it, until it is late.
        """
        try:
            self._desk.minutes.write_counts()
            for delivery in self._inbox.left():
                if delivery.id not in self._in_hand or self._inbox.late(delivery):
                    self._again(delivery)
        except (RedisError, RecordBroken) as failed:
            log.warning("could not catch up", error=str(failed))

    def _again(self, delivery: Delivery) -> None:
        """Who asked has been told that it begins when Redis is back: while it is not, nothing more is said."""
        try:
            if self._inbox.late(delivery):
                return self._missed(delivery)
            self._work(delivery)
        except RedisError as failed:
            if not outage(failed):
                self._inbox.done(delivery)
            raise
        except Exception:
            self._broke(delivery)

    def _missed(self, delivery: Delivery) -> None:
        """Its `response_url` is over."""
        self._answer(replace(delivery, url=""))(answers.missed(delivery.text if delivery.kind == "command" else ""))
        self._inbox.done(delivery)

    def _broke(self, delivery: Delivery) -> None:
        log.exception("a delivery broke", delivery=delivery.id)
        self._answer(delivery)(answers.note(BROKE))
        self._inbox.done(delivery)

    def deal_with(self, delivery: Delivery) -> None:
        """What Redis fails in the middle of is still written down: `catch_up` does it. Nothing is met with silence."""
        try:
            self._work(delivery)
        except RedisError as failed:
            log.warning("could not be dealt with yet", delivery=delivery.id, error=str(failed))
            why = outage(failed)
            self._answer(delivery)(answers.kept(why) if why else answers.note(f"Not done: {REFUSES}."))
        except Exception:
            self._broke(delivery)
        finally:
            self._in_hand.discard(delivery.id)

    def _work(self, delivery: Delivery) -> None:
        """Raises RedisError."""
        heard, desk = self._heard(delivery), self._desk

        def work() -> None:
            if delivery.verdict is None:
                desk.command(delivery, heard)
            else:
                desk.click(delivery, delivery.verdict, heard)
            fault("inbox.dealt")

        _guarded(work, heard)
        self._inbox.done(delivery)

    def _heard(self, delivery: Delivery) -> Answer:
        """The answer, which the record keeps if it refuses."""
        text = delivery.text
        asked = f"/swarm {text}" if delivery.verdict is None else f"button {delivery.verdict} {text}"
        answer = self._answer(delivery)
        return self._desk.minutes.heard(delivery.user, delivery.channel, delivery.id, asked, answer)

    def _answer(self, delivery: Delivery) -> Answer:
        """To who asked, and to nobody else."""

        def send(message: Message) -> None:
            blocks_of = list(message.blocks)
            if url := accepted(delivery.url, self._api_url):
                WebhookClient(url).send(
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


def _guarded(work: Callable[[], None], answer: Answer) -> None:
    """A command that could not be recorded is refused in words; it was not started."""
    try:
        work()
    except Newer as newer:
        answer(
            answers.note(f"Not done: {newer}. Nothing was changed. Upgrade the bot and the reporter, and ask again.")
        )
    except Forged as forged:
        log.warning("forged", what=str(forged))
        answer(answers.note(f"Not done: {forged}. Nothing was changed; ask anew, and see who can write to Redis."))
    except RecordBroken:
        log.exception("the record takes no entry")
        answer(
            answers.said("Not started: the record takes no entry. `python -m bot audit verify` says where it breaks.")
        )
