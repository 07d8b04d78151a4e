"""Tells a run's events: one Redis Stream a run, and a doorbell for whoever waits. The only writer of a stream.

What is told is sealed, and what is read must open: what others write into Redis is nobody's word.
"""

import json
from collections.abc import Callable
from typing import Any

from redis import Redis

from imker import signing
from imker.fault import fault
from imker.redaction import masked
from imker.signing import Key
from jobs.contract import (
    BELL,
    Body,
    Ended,
    Event,
    Hold,
    StepStarted,
    Waiting,
    encode,
    events_key,
    events_of,
    hold_key,
    hold_of,
)

KEPT = 30 * 24 * 3600  # seconds a run's events are kept


def _safe(event: Event) -> str:
    """Its JSON. A host's words, or an Engine's, may hold a token or a password after all."""
    return json.dumps(masked(json.loads(encode(event))), ensure_ascii=False)


def _nobody(_: Event) -> None:
    """Nobody else is told."""


class Journal:
    """`key`: what events are sealed with; `clock`: UNIX seconds; `also`: who hears of each event besides.

    An event keeps its number when the client repeats a write: readers drop the second.
    """

    def __init__(
        self,
        redis: Redis,
        key: Key,
        run: str,
        job: int,
        clock: Callable[[], float],
        also: Callable[[Event], None] = _nobody,
    ) -> None:
        self._redis = redis
        self._key = key
        self._run = run
        self._job = job
        self._clock = clock
        self._also = also
        self._number = 0
        self.stepped = False  # whether a step was begun

    def tell(self, body: Body) -> None:
        if isinstance(body, Ended | Waiting):
            fault("job.ending")
        self.stepped = self.stepped or isinstance(body, StepStarted)
        self._number += 1
        event = Event(self._run, self._job, self._number, self._clock(), body)
        place = events_key(self._run)
        self._redis.xadd(place, {"event": signing.seal(self._key, place, _safe(event))})
        self._redis.expire(place, KEPT)
        self._redis.publish(BELL, self._run)
        fault("event.told")
        self._also(event)

    def question(self, job: int) -> Waiting | None:
        """What that job of the run ended with, if it was a question."""
        asked = [event.body for event in self.told() if event.job == job]
        return asked[-1] if asked and isinstance(asked[-1], Waiting) else None

    def told(self) -> tuple[Event, ...]:
        """All of the run so far."""
        entries: Any = self._redis.xrange(events_key(self._run))
        return events_of(self._run, entries, self._key)

    def remember(self, place: str, text: str) -> None:
        """Sign a text for its place and keep it there."""
        self._redis.set(place, signing.seal(self._key, place, text))

    def remembered(self, place: str) -> str | None:
        """Return what was signed for this place; None for anything else."""
        return signing.opened(self._key, place, self._redis.get(place))

    def held(self, run: str) -> Hold | None:
        """The newest word that people said of a run."""
        words: Any = self._redis.zrevrange(hold_key(run), 0, -1, withscores=True)
        said = hold_of(run, words, self._key)
        return said[0] if said else None
