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

from bot.handlers.commands import CommandHandler
from bot.handlers.delivery import Delivery
from bot.listeners.inbox import Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.messages import responses
from bot.messages.block_kit import Message, Reply
from bot.runs.decisions import TamperedRecord, WrittenByNewerVersion
from bot.settings import SLACK_API_URL
from bot.slack.response_url import accepted_url
from imker.audit_log import AuditLogBroken
from imker.failpoints import failpoint
from imker.redis_errors import unavailable_reason, was_rejected

log = structlog.get_logger()
FAILED_REPLIES = "Redis refuses it; the bot's log says why"
INTERNAL_ERROR = "Imker itself broke over it; the bot's log has the traceback. /swarm status shows what was begun."
NOT_SAVED_YET = (
    "Heard, and not written down yet: Redis is slow. If no word follows, look at /swarm status and ask again."
)
ACK_DEADLINE = 2.0  # seconds until Slack is told at the latest that it was heard


class DeliveryReceiver:
    """Nothing slow stands before the acknowledgement."""

    def __init__(
        self, handler: CommandHandler, inbox: Inbox, client: WebClient, limit: RateLimiter, api_url: str = SLACK_API_URL
    ) -> None:
        self._desk = handler
        self._inbox = inbox
        self._client = client
        self._limit = limit
        self._api_url = api_url
        self._in_hand: set[str] = set()  # deliveries that this process has taken and not finished

    def receive(self, delivery: Delivery, ack: Ack) -> None:
        """Slack waits 3 s: where Redis is not responding in time, it is told that this is no promise yet."""
        delivery = replace(delivery, response_url=accepted_url(delivery.response_url, self._api_url))
        failpoint("inbox.received")
        ack_timer = threading.Timer(ACK_DEADLINE, partial(ack, NOT_SAVED_YET) if delivery.kind == "command" else ack)
        ack_timer.start()
        try:
            saved = self.persist(delivery)
        finally:
            ack_timer.cancel()
            ack()
        failpoint("inbox.acked")
        if saved:
            self.handle(delivery)

    def persist(self, delivery: Delivery) -> bool:
        """Whether it is written down; if not, who asked is told. From now on `deal_with` has it, and not `catch_up`."""
        try:
            if not self._check_rate(delivery):
                return False
            self._in_hand.add(delivery.delivery_id)
            self._inbox.add(delivery)
            failpoint("inbox.saved")
        except RedisError as error:
            self._in_hand.discard(delivery.delivery_id)
            log.warning("could not be written down", delivery=delivery.delivery_id, error=str(error))
            self._reply_to(delivery)(
                responses.not_saved(unavailable_reason(error) or FAILED_REPLIES, was_rejected(error))
            )
            return False
        return True

    def _check_rate(self, delivery: Delivery) -> bool:
        """Whoever fills Redis would stop all others. Each is answered; the record has one of them a minute."""
        verdict, answer = self._limit.check(delivery.user), self._reply_to(delivery)
        if verdict != "taken":
            reply = self._audited_reply(delivery) if verdict == "first" else answer
            _reply_on_audit_error(lambda: reply(responses.rate_limited(self._limit.most)), answer)
        return verdict == "taken"

    def recover_abandoned(self) -> None:
        """What a bot that died has left; asked for now and then. What breaks here would break each bot after it.

        What this bot is still at is left to it, until it is late.
        """
        try:
            self._desk.audit.write_counts()
            for delivery in self._inbox.abandoned():
                if delivery.delivery_id not in self._in_hand or self._inbox.is_expired(delivery):
                    self._retry(delivery)
        except (RedisError, AuditLogBroken) as error:
            log.warning("could not catch up", error=str(error))

    def _retry(self, delivery: Delivery) -> None:
        """Who asked has been told that it begins when Redis is back: while it is not, nothing more is said."""
        try:
            if self._inbox.is_expired(delivery):
                return self._expire(delivery)
            self._work(delivery)
        except RedisError as error:
            if not unavailable_reason(error):
                self._inbox.remove(delivery)
            raise
        except Exception:
            self._report_internal_error(delivery)

    def _expire(self, delivery: Delivery) -> None:
        """Its `response_url` is over."""
        self._reply_to(replace(delivery, response_url=""))(
            responses.expired(delivery.text if delivery.kind == "command" else "")
        )
        self._inbox.remove(delivery)

    def _report_internal_error(self, delivery: Delivery) -> None:
        log.exception("a delivery broke", delivery=delivery.delivery_id)
        self._reply_to(delivery)(responses.not_found(INTERNAL_ERROR))
        self._inbox.remove(delivery)

    def handle(self, delivery: Delivery) -> None:
        """What Redis fails in the middle of is still written down: `catch_up` does it. Nothing is met with silence."""
        try:
            self._work(delivery)
        except RedisError as error:
            log.warning("could not be dealt with yet", delivery=delivery.delivery_id, error=str(error))
            reason = unavailable_reason(error)
            self._reply_to(delivery)(
                responses.deferred(reason) if reason else responses.not_found(f"Not done: {FAILED_REPLIES}.")
            )
        except Exception:
            self._report_internal_error(delivery)
        finally:
            self._in_hand.discard(delivery.delivery_id)

    def _work(self, delivery: Delivery) -> None:
        """Raises RedisError."""
        reply, desk = self._audited_reply(delivery), self._desk

        def work() -> None:
            if delivery.choice is None:
                desk.handle_command(delivery, reply)
            else:
                desk.handle_action(delivery, delivery.choice, reply)
            failpoint("inbox.handled")

        _reply_on_audit_error(work, reply)
        self._inbox.remove(delivery)

    def _audited_reply(self, delivery: Delivery) -> Reply:
        """The answer, which the record keeps if it refuses."""
        text = delivery.text
        command_text = f"/swarm {text}" if delivery.choice is None else f"button {delivery.choice} {text}"
        answer = self._reply_to(delivery)
        return self._desk.audit.wrap_reply(delivery.user, delivery.channel, delivery.delivery_id, command_text, answer)

    def _reply_to(self, delivery: Delivery) -> Reply:
        """To who asked, and to nobody else."""

        def send(message: Message) -> None:
            blocks_of = list(message.blocks)
            if url := accepted_url(delivery.response_url, self._api_url):
                WebhookClient(url).send(
                    text=message.text, blocks=blocks_of, response_type="ephemeral", replace_original=False
                )
            else:
                self._client.chat_postEphemeral(
                    channel=delivery.channel, user=delivery.user, text=message.text, blocks=blocks_of
                )

        return _log_send_errors(send)


def _log_send_errors(send: Callable[[Message], Any]) -> Reply:
    def answer(message: Message) -> None:
        try:
            send(message)
        except (SlackClientError, OSError) as error:
            log.warning("could not answer", error=str(error))

    return answer


def _reply_on_audit_error(work: Callable[[], None], answer: Reply) -> None:
    """A command that could not be recorded is refused in words; it was not started."""
    try:
        work()
    except WrittenByNewerVersion as newer:
        answer(
            responses.not_found(
                f"Not done: {newer}. Nothing was changed. Upgrade the bot and the reconciler, and ask again."
            )
        )
    except TamperedRecord as error:
        log.warning("forged", what=str(error))
        answer(
            responses.not_found(f"Not done: {error}. Nothing was changed; ask anew, and see who can write to Redis.")
        )
    except AuditLogBroken:
        log.exception("the record takes no entry")
        answer(
            responses.info("Not started: the record takes no entry. `python -m bot audit verify` says where it breaks.")
        )
