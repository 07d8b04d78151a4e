"""What Slack has handed over and nobody has dealt with yet: written down before it is acknowledged, struck off after.

Whoever dies in between, the next look finds it. To deal with it twice does no harm: a command's run has the same ID
then, and a question takes one answer.
"""

from collections.abc import Callable
from contextlib import suppress

from pydantic import TypeAdapter
from redis import Redis

from bot.handlers.delivery import Delivery
from bot.records import DAY
from bot.runs.decisions import WrittenByNewerVersion, parse_stored
from imker import signing
from imker.signing import SigningKey

ABANDONED_AFTER, RETENTION = 10.0, DAY  # seconds after which nobody is at it any more; seconds that it is kept
EXPIRES_AFTER = 30 * 60  # seconds after which it is not begun any more: Slack takes no answer to it, and nobody waits
INBOX_KEY = "bot:inbox"


_DELIVERY: TypeAdapter[Delivery] = TypeAdapter(Delivery)


class Inbox:
    """`clock`: UNIX seconds. Sealed: what others write into Redis is nobody's command."""

    def __init__(self, redis: "Redis", key: SigningKey, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._key = key
        self._clock = clock

    def add(self, delivery: Delivery) -> None:
        place = f"{INBOX_KEY}:{delivery.delivery_id}"
        self._redis.set(place, signing.sign_for(self._key, place, _DELIVERY.dump_json(delivery).decode()), ex=RETENTION)
        self._redis.sadd(INBOX_KEY, delivery.delivery_id)

    def remove(self, delivery: Delivery) -> None:
        self._redis.delete(f"{INBOX_KEY}:{delivery.delivery_id}")
        self._redis.srem(INBOX_KEY, delivery.delivery_id)

    def is_expired(self, delivery: Delivery) -> bool:
        return self._clock() - delivery.received_at > EXPIRES_AFTER

    def abandoned(self) -> list[Delivery]:
        """Those that somebody took and did not finish."""
        abandoned: list[Delivery] = []
        raw_ids = self._redis.smembers(INBOX_KEY)
        for name in (raw_id.decode(errors="replace") for raw_id in raw_ids):  # type: ignore[union-attr]
            place = f"{INBOX_KEY}:{name}"
            verified = signing.open_signed(self._key, place, self._redis.get(place))
            if verified is None:
                self._redis.srem(INBOX_KEY, name)
                continue
            with suppress(WrittenByNewerVersion):  # it stays there for the version that wrote it
                abandoned.append(parse_stored(_DELIVERY, place, verified))
        return [delivery for delivery in abandoned if self._is_abandoned(delivery)]

    def _is_abandoned(self, delivery: Delivery) -> bool:
        age = self._clock() - delivery.received_at  # negative: somebody set the clock back
        if age > RETENTION:  # somebody put it there again
            self.remove(delivery)
        return abs(age) > ABANDONED_AFTER and age <= RETENTION
