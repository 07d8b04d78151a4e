"""Receive deliveries: persist, acknowledge, handle, remove. After a crash, the next bot handles what is left."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from redis.exceptions import RedisError
from slack_bolt import Ack
from slack_sdk import WebClient

from bot.handlers.commands import CommandHandler
from bot.handlers.delivery import SHOW_STEP, Delivery
from bot.listeners.inbox import Inbox
from bot.listeners.private_replies import PrivateReplies
from bot.listeners.rate_limit import RateLimiter
from bot.messages.block_kit import Message, Reply
from bot.messages.replies import responses
from bot.runs.decisions import TamperedRecord, WrittenByNewerVersion
from bot.settings import SLACK_API_URL
from bot.slack.response_url import accepted_url
from imker.audit_log import AuditLogBroken
from imker.failpoints import failpoint
from imker.redis_errors import unavailable_reason, was_rejected

log = structlog.get_logger()
REDIS_REJECTED = "Redis rejected the command; details are in the bot log"
INTERNAL_ERROR = (
    "Imker hit an internal error. Check `/swarm status` to see whether a run started. Details are in the bot log."
)
NOT_SAVED_YET = (
    "Received, but not saved yet because Redis is slow. If you see no reply within a minute, check `/swarm status` "
    "and run the command again."
)
AUDIT_LOG_BROKEN = "Not started: the audit log cannot be written. Run `imker audit verify`."
ACK_DEADLINE = 2.0  # seconds until Slack gets its acknowledgement at the latest; it waits 3
Work = Callable[[], None]


class DeliveryReceiver:
    """Receive deliveries from Slack and from the inbox. Nothing slow happens before the acknowledgement.

    `run`: runs what follows the acknowledgement. The bot has other threads for it than for acknowledgements.
    """

    def __init__(
        self,
        handler: CommandHandler,
        inbox: Inbox,
        client: WebClient,
        limit: RateLimiter,
        api_url: str = SLACK_API_URL,
        run: Callable[[Work], object] = lambda work: work(),
    ) -> None:
        self._handler = handler
        self._inbox = inbox
        self._limit = limit
        self._api_url = api_url
        self._run = run
        self._replies = PrivateReplies(client, api_url, handler.with_references)
        self._in_progress: set[str] = set()  # IDs of the deliveries that this process has not finished

    def receive(self, delivery: Delivery, ack: Ack, ack_early: Callable[[], Any] | None = None) -> None:
        """Persist, acknowledge, and handle a delivery. If Redis is slow, the acknowledgement says so.

        `ack_early`: how to say so, None for a message, which Slack accepts from a typed command only.
        """
        delivery = replace(delivery, response_url=accepted_url(delivery.response_url, self._api_url))
        failpoint("inbox.received")
        is_typed = delivery.kind == "command" and not delivery.message_ts
        ack_timer = threading.Timer(ACK_DEADLINE, ack_early or (partial(ack, NOT_SAVED_YET) if is_typed else ack))
        ack_timer.start()
        try:
            saved = self.persist(delivery)
        finally:
            ack_timer.cancel()
            ack()
        failpoint("inbox.acked")
        if saved:
            self._run(partial(self.handle, delivery))

    def persist(self, delivery: Delivery) -> bool:
        """Save the delivery and return True, or reply why not and return False. The caller then calls `handle`."""
        try:
            if not self._check_rate(delivery):
                return False
            self._in_progress.add(delivery.delivery_id)
            self._inbox.add(delivery)
            failpoint("inbox.saved")
        except RedisError as error:
            self._in_progress.discard(delivery.delivery_id)
            log.warning("could not save a delivery", delivery=delivery.delivery_id, error=str(error))
            self._replies.to(delivery)(
                responses.not_saved(unavailable_reason(error) or REDIS_REJECTED, was_rejected(error))
            )
            return False
        return True

    def _check_rate(self, delivery: Delivery) -> bool:
        """Return whether the user is below the rate limit, and reply if not.

        Otherwise one user could fill Redis for all. Each request gets a reply; the audit log gets one entry a minute.
        """
        verdict, private = self._limit.check(delivery.user), self._replies.to(delivery)
        if verdict != "allowed":
            reply = self._audited_reply(delivery) if verdict == "first" else private
            _reply_on_audit_error(lambda: reply(responses.rate_limited(self._limit.limit)), private)
        return verdict == "allowed"

    def is_over_limit(self, delivery: Delivery) -> bool:
        """Return whether the user has reached the rate limit, and reply if so. Does not wait for Redis."""
        verdict = self._limit.check(delivery.user)
        if verdict != "allowed":
            self.refuse(delivery, responses.rate_limited(self._limit.limit), is_recorded=verdict == "first")
        return verdict != "allowed"

    def refuse(self, delivery: Delivery, message: Message, is_recorded: bool = True) -> None:
        """Reply to something that is not saved in the inbox, and then record the refusal as far as Redis allows."""
        self._replies.to(delivery)(message)
        if is_recorded:
            self.record_refusal(delivery, message)

    def record_refusal(self, delivery: Delivery, message: Message) -> None:
        """Record a refusal that the user has seen, as far as Redis allows."""
        self._record(lambda: self._audited(delivery, lambda _: None)(message))

    def record_form(self, delivery: Delivery) -> None:
        """Record that the user opened a form, as far as Redis allows."""
        audit = self._handler.audit
        self._record(lambda: audit.command(delivery.user, delivery.channel, delivery.delivery_id, "/swarm (form)"))

    def _record(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (RedisError, AuditLogBroken) as error:
            log.warning("could not record a form", error=str(error))

    def recover_abandoned(self) -> None:
        """Handle the deliveries that a crashed bot left, and expire old ones. Call this regularly.

        A delivery that this bot is still handling is skipped until it expires. One that causes an error is removed,
        so that it does not stop every bot after this one.
        """
        self._handler.hosts.refresh()
        in_progress = frozenset(self._in_progress)  # read first: a handled delivery leaves the inbox before this set
        try:
            self._handler.audit.write_counts()
            for delivery in self._inbox.abandoned():
                is_in_progress = delivery.delivery_id in in_progress or delivery.delivery_id in self._in_progress
                if not is_in_progress or self._inbox.is_expired(delivery):
                    self._retry(delivery)
        except (RedisError, AuditLogBroken) as error:
            log.warning("could not recover deliveries", error=str(error))

    def _retry(self, delivery: Delivery) -> None:
        """Handle the delivery again. While Redis is unavailable it stays; the requester already has a reply."""
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
        """Tell the requester that the delivery expired, and remove it. Its `response_url` has expired as well."""
        self._replies.to(replace(delivery, response_url=""))(
            responses.expired(delivery.text if delivery.kind == "command" else "")
        )
        self._inbox.remove(delivery)

    def _report_internal_error(self, delivery: Delivery) -> None:
        log.exception("internal error while handling a delivery", delivery=delivery.delivery_id)
        self._replies.to(delivery)(responses.not_found(INTERNAL_ERROR))
        self._inbox.remove(delivery)

    def handle(self, delivery: Delivery) -> None:
        """Handle a delivery and always reply.

        If Redis fails midway, the delivery stays in the inbox and `recover_abandoned` retries it.
        """
        try:
            self._work(delivery)
        except RedisError as error:
            log.warning("could not handle a delivery yet", delivery=delivery.delivery_id, error=str(error))
            reason = unavailable_reason(error)
            self._replies.to(delivery)(
                responses.deferred(reason) if reason else responses.not_found(f"Not done: {REDIS_REJECTED}.")
            )
        except Exception:
            self._report_internal_error(delivery)
        finally:
            self._in_progress.discard(delivery.delivery_id)

    def _work(self, delivery: Delivery) -> None:
        """Handle a delivery and remove it. Raise RedisError if Redis fails midway."""
        reply, handler = self._audited_reply(delivery), self._handler

        def work() -> None:
            if delivery.step == SHOW_STEP:
                handler.handle_show(delivery, reply)
            elif delivery.step:
                handler.handle_next_step(delivery, reply)
            elif delivery.choice is None:
                handler.handle_command(delivery, reply)
            else:
                handler.handle_action(delivery, delivery.choice, reply)
            failpoint("inbox.handled")

        _reply_on_audit_error(work, reply)
        self._inbox.remove(delivery)

    def _audited_reply(self, delivery: Delivery) -> Reply:
        """Return a reply to the requester that the audit log records if it is a refusal."""
        return self._audited(delivery, self._replies.to(delivery))

    def _audited(self, delivery: Delivery, reply: Reply) -> Reply:
        text = delivery.text
        button = delivery.choice or delivery.step
        command_text = f"button {button} {text}" if button else f"/swarm {text}"
        audit = self._handler.audit
        return audit.wrap_reply(delivery.user, delivery.channel, delivery.delivery_id, command_text, reply)


def _reply_on_audit_error(work: Callable[[], None], reply: Reply) -> None:
    """Run `work`. Reply if it stops because a record or the audit log cannot be used; nothing was started then."""
    try:
        work()
    except WrittenByNewerVersion as newer:
        text = f"Not done: {newer}. Nothing was changed. Upgrade the bot and the reconciler, and run the command again."
        reply(responses.not_found(text))
    except TamperedRecord as error:
        log.warning("invalid signature in Redis", problem=str(error))
        text = f"Not done: {error}. Nothing was changed. Check who can write to Redis, and run the command again."
        reply(responses.not_found(text))
    except AuditLogBroken:
        log.exception("the audit log cannot be written")
        reply(responses.info(AUDIT_LOG_BROKEN))
