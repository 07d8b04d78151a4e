"""Write a run's events to its Redis stream, and wake up the reconciler. The only writer of these streams.

Events are signed, and entries without a valid signature are ignored: others can write to Redis.
"""

import hashlib
import json
from collections.abc import Callable

import structlog
from redis import Redis

from imker import signing
from imker.failpoints import failpoint
from imker.protocol.codec import encode_message
from imker.protocol.commands import Hold
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, EventBody, FleetPlanned, JobFinished, StepStarted
from imker.protocol.version import OUTCOME_MARK, WAKE_CHANNEL, events_key
from imker.redaction import redact_value
from imker.run_streams import read_event_log, read_latest_hold
from imker.signing import SigningKey

log = structlog.get_logger()
RETENTION = 30 * 24 * 3600  # seconds that a run's events stay in Redis
DIGEST_LENGTH = 20  # hexadecimal digits


def _redacted_json(event: Event) -> str:
    """Return the event as JSON, with secrets redacted: text from a host or an Engine may include a token."""
    return json.dumps(redact_value(json.loads(encode_message(event))), ensure_ascii=False)


def _ignore_event(_: Event) -> None:
    """Do nothing: the default listener."""


class EventWriter:
    """Emit a job's events. `key`: signs them. `clock`: UNIX seconds. `on_event`: called after each write.
    `retention`: seconds that the events stay in Redis.

    An event keeps its number when the client repeats a write, and readers drop the repeat. A job's first outcome is
    its last event: a failed write may have reached Redis, so the same outcome is written again.
    """

    def __init__(
        self,
        redis: Redis,
        key: SigningKey,
        run: str,
        job: int,
        clock: Callable[[], float],
        on_event: Callable[[Event], None] = _ignore_event,
        retention: int = RETENTION,
    ) -> None:
        self._redis = redis
        self._key = key
        self._run = run
        self._job = job
        self._clock = clock
        self._on_event = on_event
        self._retention = retention
        self._number = 0
        self._outcome: Event | None = None  # the first outcome, once a write of it was attempted
        self._finished = False  # the outcome was written, and the listener has it
        self.has_started_steps = False

    def emit(self, body: EventBody) -> None:
        """Write an event. After the job's outcome, do nothing. Raises RedisError, AuditLogBroken."""
        if self._finished:
            log.warning("event dropped after the outcome", run=self._run, job=self._job, type=body.type)
            return
        self.has_started_steps = self.has_started_steps or isinstance(body, StepStarted)
        event = self._outcome or self._next(body)
        if isinstance(event.body, JobFinished | DecisionRequested):
            failpoint("job.ending")
            self._outcome = event
        self._write(event)
        self._on_event(event)
        self._finished = self._outcome is not None

    def _next(self, body: EventBody) -> Event:
        self._number += 1
        return Event(self._run, self._job, self._number, self._clock(), body)

    def _write(self, event: Event) -> None:
        stream = events_key(self._run)
        self._redis.xadd(stream, {"event": signing.sign_for(self._key, stream, _redacted_json(event))})
        self._redis.expire(stream, self._retention)
        mark = OUTCOME_MARK if isinstance(event.body, JobFinished | DecisionRequested) else b""
        self._redis.publish(WAKE_CHANNEL, self._run.encode() + mark)
        failpoint("event.emitted")

    def question_of(self, job: int) -> DecisionRequested | None:
        """Return the question that a job of the run ended with, if any."""
        outcome = self.event_log().outcome_of(job)
        return outcome if isinstance(outcome, DecisionRequested) else None

    def event_log(self, run: str = "") -> EventLog:
        """Return all events of a run so far, also of its earlier jobs. `run`: "" for the own one."""
        return read_event_log(self._redis, self._key, run or self._run)

    def fleet_plan_of(self, run: str) -> FleetPlanned | None:
        """Return the plan of a fleet's run, None if it has none."""
        bodies = (event.body for event in self.event_log(run).events)
        return next((body for body in bodies if isinstance(body, FleetPlanned)), None)

    def start_question_of(self, run: str) -> DecisionRequested | None:
        """Return the question whether to start a fleet's run, None if it was not asked."""
        bodies = (event.body for event in self.event_log(run).events)
        questions = (body for body in bodies if isinstance(body, DecisionRequested))
        return next((question for question in questions if question.question == "start_fleet"), None)

    def save_signed(self, redis_key: str, text: str) -> None:
        """Save a text for later jobs, signed for this Redis key."""
        self._redis.set(redis_key, signing.sign_for(self._key, redis_key, text))

    def load_signed(self, redis_key: str) -> str | None:
        """Return the text, or None if there is none with a valid signature."""
        return signing.open_signed(self._key, redis_key, self._redis.get(redis_key))

    def digest(self, *parts: str) -> str:
        """Return a digest of the texts that only a holder of the signing key can make. It is no signature."""
        return hashlib.sha256(self._key.sign("\n".join(("digest", *parts))).encode()).hexdigest()[:DIGEST_LENGTH]

    def current_hold(self, run: str) -> Hold | None:
        """Return the run's latest hold: paused, resumed, or cancelled."""
        latest = read_latest_hold(self._redis, self._key, run)
        return latest[0] if latest else None
