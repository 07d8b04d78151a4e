"""Redis inbox: a delivery is saved before it is acknowledged and removed after it is handled.

A delivery of a bot that crashed in between is found again. Handling one twice is safe: a command's run gets the same
ID, and a question takes one decision.
"""

from collections.abc import Callable
from contextlib import suppress

from pydantic import TypeAdapter
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from bot.handlers.delivery import Delivery
from bot.records import DAY
from bot.runs.decisions import WrittenByNewerVersion, parse_stored
from imker import signing
from imker.signing import SigningKey

ABANDONED_AFTER = 10.0  # seconds after which no bot is working on a delivery anymore
RETENTION = DAY  # seconds
EXPIRES_AFTER = 30 * 60  # seconds; Slack accepts no reply to the command's response_url after that
INBOX_KEY = "bot:inbox"

_DELIVERY: TypeAdapter[Delivery] = TypeAdapter(Delivery)


class Inbox:
    """Store deliveries, signed, so that nothing else that writes to Redis can run a command. `clock`: UNIX seconds."""

    def __init__(self, redis: "Redis", key: SigningKey, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._key = key
        self._clock = clock

    def add(self, delivery: Delivery) -> None:
        """Save a delivery."""
        place = f"{INBOX_KEY}:{delivery.delivery_id}"
        text = _DELIVERY.dump_json(delivery).decode()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(place, signing.sign_for(self._key, place, text), ex=RETENTION)
            pipe.sadd(INBOX_KEY, delivery.delivery_id)
            _execute(pipe)

    def remove(self, delivery: Delivery) -> None:
        """Remove a delivery that has been handled."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.delete(f"{INBOX_KEY}:{delivery.delivery_id}")
            pipe.srem(INBOX_KEY, delivery.delivery_id)
            _execute(pipe)

    def is_expired(self, delivery: Delivery) -> bool:
        """Return whether the delivery is too old to be handled."""
        return self._clock() - delivery.received_at > EXPIRES_AFTER

    def abandoned(self) -> list[Delivery]:
        """Return the deliveries that a bot received and did not finish."""
        abandoned: list[Delivery] = []
        raw_ids = self._redis.smembers(INBOX_KEY)
        for name in (raw_id.decode(errors="replace") for raw_id in raw_ids):  # type: ignore[union-attr]
            place = f"{INBOX_KEY}:{name}"
            verified = signing.open_signed(self._key, place, self._redis.get(place))
            if verified is None:
                self._redis.srem(INBOX_KEY, name)
                continue
            with suppress(WrittenByNewerVersion):  # the bot of that version handles it
                abandoned.append(parse_stored(_DELIVERY, place, verified))
        return [delivery for delivery in abandoned if self._is_abandoned(delivery)]

    def _is_abandoned(self, delivery: Delivery) -> bool:
        age = self._clock() - delivery.received_at  # negative if the clock was set back
        if age > RETENTION:  # a copy that was written to Redis again after the original had expired
            self.remove(delivery)
        return abs(age) > ABANDONED_AFTER and age <= RETENTION


def _execute(pipe: Pipeline) -> None:
    """Send the commands in one round trip. Raise the first error as it is: a pipeline would change its text."""
    for result in pipe.execute(raise_on_error=False):
        if isinstance(result, RedisError):
            raise result
