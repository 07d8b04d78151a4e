"""Tells a run's events: one Redis Stream a run, and a doorbell for whoever waits. The only writer of a stream.

What is told is sealed, and what is read must open: what others write into Redis is nobody's word.
"""

import json
from collections.abc import Callable
from typing import Any

import structlog
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
    outcome_of,
)

log = structlog.get_logger()
KEPT = 30 * 24 * 3600  # seconds a run's events are kept


def _safe(event: Event) -> str:
    """Its JSON. A host's words, or an Engine's, may hold a token or a password after all."""
    return json.dumps(masked(json.loads(encode(event))), ensure_ascii=False)


def _nobody(_: Event) -> None:
    """Nobody else is told."""


class Journal:
    """`key`: what events are sealed with; `clock`: UNIX seconds; `also`: who hears of each event besides.

    An event keeps its number when the client repeats a write: readers drop the second. A job's first outcome is its
    last event: one whose write failed may be in Redis all the same, and is written again instead of another.
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
        self._outcome: Event | None = None  # that a write was tried of
        self._over = False  # whether that is told, and whoever hears of it besides has it
        self.stepped = False  # whether a step was begun

    def tell(self, body: Body) -> None:
        if self._over:
            log.warning("not told: the job has told its outcome", run=self._run, job=self._job, type=body.type)
            return
        self.stepped = self.stepped or isinstance(body, StepStarted)
        event = self._outcome or self._next(body)
        if isinstance(event.body, Ended | Waiting):
            fault("job.ending")
            self._outcome = event
        self._write(event)
        self._also(event)
        self._over = self._outcome is not None

    def _next(self, body: Body) -> Event:
        self._number += 1
        return Event(self._run, self._job, self._number, self._clock(), body)

    def _write(self, event: Event) -> None:
        place = events_key(self._run)
        self._redis.xadd(place, {"event": signing.seal(self._key, place, _safe(event))})
        self._redis.expire(place, KEPT)
        self._redis.publish(BELL, self._run)
        fault("event.told")

    def question(self, job: int) -> Waiting | None:
        """What that job of the run ended with, if it was a question."""
        outcome = outcome_of(self.told(), job)
        return outcome if isinstance(outcome, Waiting) else None

    def told(self) -> tuple[Event, ...]:
        """All of the run so far."""
        entries: Any = self._redis.xrange(events_key(self._run))
        return events_of(self._run, entries, self._key)

    def keep(self, place: str, text: str) -> None:
        """Save a text for later jobs, signed for its place."""
        self._redis.set(place, signing.seal(self._key, place, text))

    def kept(self, place: str) -> str | None:
        """Return the text, None if there is none that Imker wrote."""
        return signing.opened(self._key, place, self._redis.get(place))

    def held(self, run: str) -> Hold | None:
        """The newest word that people said of a run."""
        words: Any = self._redis.zrevrange(hold_key(run), 0, -1, withscores=True)
        said = hold_of(run, words, self._key)
        return said[0] if said else None
