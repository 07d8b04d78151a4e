"""What Slack has handed over and nobody has dealt with yet: written down before it is acknowledged, struck off after.

Whoever dies in between, the next look finds it. To deal with it twice does no harm: a command's run has the same ID
then, and a question takes one answer.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter
from redis import Redis

from bot.decisions import Newer, understood
from bot.record import DAY, Verdict
from imker import signing
from imker.signing import Key

LEFT, KEPT = 10.0, DAY  # seconds after which nobody is at it any more; seconds that it is kept
LATE = 30 * 60  # seconds after which it is not begun any more: Slack takes no answer to it, and nobody waits
INBOX = "bot:inbox"


@dataclass(frozen=True)
class Delivery:
    """`id`: Slack's own, the same when it delivers twice; `text`: a command's, or a button's value; `url`: where an

    answer goes, "" for a mention; `at`: UNIX seconds; `verdict` and `message`: of a button, and where it stands.
    """

    kind: Literal["command", "click"]
    id: str
    user: str
    channel: str
    text: str
    url: str
    at: float
    verdict: Verdict | None = None
    message: str = ""


_DELIVERY: TypeAdapter[Delivery] = TypeAdapter(Delivery)


class Inbox:
    """`clock`: UNIX seconds. Sealed: what others write into Redis is nobody's command."""

    def __init__(self, redis: "Redis", key: Key, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._key = key
        self._clock = clock

    def take(self, delivery: Delivery) -> None:
        place = f"{INBOX}:{delivery.id}"
        self._redis.set(place, signing.seal(self._key, place, _DELIVERY.dump_json(delivery).decode()), ex=KEPT)
        self._redis.sadd(INBOX, delivery.id)

    def done(self, delivery: Delivery) -> None:
        self._redis.delete(f"{INBOX}:{delivery.id}")
        self._redis.srem(INBOX, delivery.id)

    def late(self, delivery: Delivery) -> bool:
        return self._clock() - delivery.at > LATE

    def left(self) -> list[Delivery]:
        """Those that somebody took and did not finish."""
        found: list[Delivery] = []
        known = self._redis.smembers(INBOX)
        for name in (one.decode(errors="replace") for one in known):  # type: ignore[union-attr]
            place = f"{INBOX}:{name}"
            kept = signing.opened(self._key, place, self._redis.get(place))
            if kept is None:
                self._redis.srem(INBOX, name)
                continue
            with suppress(Newer):  # it stays there for the version that wrote it
                found.append(understood(_DELIVERY, place, kept))
        return [delivery for delivery in found if self._is_left(delivery)]

    def _is_left(self, delivery: Delivery) -> bool:
        age = self._clock() - delivery.at  # negative: somebody set the clock back
        if age > KEPT:  # somebody put it there again
            self.done(delivery)
        return abs(age) > LEFT and age <= KEPT
