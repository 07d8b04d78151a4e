"""Tells a run's events: one Redis Stream a run, and a doorbell for whoever waits. The only writer of a stream.

What is told is sealed, and what is read must open: what others write into Redis is nobody's word.
"""

import json
from collections.abc import Callable

import structlog
from redis import Redis

from imker import signing
from imker.failpoints import failpoint
from imker.protocol.codec import encode_message
from imker.protocol.commands import Hold
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, EventBody, JobFinished, StepStarted
from imker.protocol.version import WAKE_CHANNEL, events_key
from imker.redaction import redact_value
from imker.run_streams import read_event_log, read_latest_hold
from imker.signing import SigningKey

log = structlog.get_logger()
RETENTION = 30 * 24 * 3600  # seconds a run's events are kept


def _redacted_json(event: Event) -> str:
    """Its JSON. A host's words, or an Engine's, may hold a token or a password after all."""
    return json.dumps(redact_value(json.loads(encode_message(event))), ensure_ascii=False)


def _ignore_event(_: Event) -> None:
    """Nobody else is told."""


class EventWriter:
    """`key`: what events are sealed with; `clock`: UNIX seconds; `also`: who hears of each event besides.

    An event keeps its number when the client repeats a write: readers drop the second. A job's first outcome is its
    last event: one whose write failed may be in Redis all the same, and is written again instead of another.
    """

    def __init__(
        self,
        redis: Redis,
        key: SigningKey,
        run: str,
        job: int,
        clock: Callable[[], float],
        on_event: Callable[[Event], None] = _ignore_event,
    ) -> None:
        self._redis = redis
        self._key = key
        self._run = run
        self._job = job
        self._clock = clock
        self._on_event = on_event
        self._number = 0
        self._outcome: Event | None = None  # that a write was tried of
        self._over = False  # whether that is told, and whoever hears of it besides has it
        self.has_started_steps = False  # whether a step was begun

    def emit(self, body: EventBody) -> None:
        if self._over:
            log.warning("not told: the job has told its outcome", run=self._run, job=self._job, type=body.type)
            return
        self.has_started_steps = self.has_started_steps or isinstance(body, StepStarted)
        event = self._outcome or self._next(body)
        if isinstance(event.body, JobFinished | DecisionRequested):
            failpoint("job.ending")
            self._outcome = event
        self._write(event)
        self._on_event(event)
        self._over = self._outcome is not None

    def _next(self, body: EventBody) -> Event:
        self._number += 1
        return Event(self._run, self._job, self._number, self._clock(), body)

    def _write(self, event: Event) -> None:
        place = events_key(self._run)
        self._redis.xadd(place, {"event": signing.sign_for(self._key, place, _redacted_json(event))})
        self._redis.expire(place, RETENTION)
        self._redis.publish(WAKE_CHANNEL, self._run)
        failpoint("event.emitted")

    def question_of(self, job: int) -> DecisionRequested | None:
        """What that job of the run ended with, if it was a question."""
        outcome = self.event_log().outcome_of(job)
        return outcome if isinstance(outcome, DecisionRequested) else None

    def event_log(self) -> EventLog:
        """Return the run's events so far."""
        return read_event_log(self._redis, self._key, self._run)

    def save_signed(self, place: str, text: str) -> None:
        """Save a text for later jobs, signed for its place."""
        self._redis.set(place, signing.sign_for(self._key, place, text))

    def load_signed(self, place: str) -> str | None:
        """Return the text, None if there is none that Imker wrote."""
        return signing.open_signed(self._key, place, self._redis.get(place))

    def current_hold(self, run: str) -> Hold | None:
        """Return the latest pause, resume, or cancel of the run."""
        latest = read_latest_hold(self._redis, self._key, run)
        return latest[0] if latest else None
