"""What is not signed by the bot, is too old, or comes twice, is refused in words, and changes nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from imker import redis_connection, signing
from imker.protocol import codec, events, version
from imker.protocol.commands import Approval, Migrate, Request
from imker.protocol.events import JobFinished, JobStarted
from imker.signing import SigningKey
from jobs import admission, run
from jobs.events.writer import EventWriter
from jobs.worker.allowlist import AllowlistedJob
from tests.support import streams

KEY, OTHER = SigningKey("k" * 64), SigningKey("x" * 64)
NOW = 1_795_440_000.0
REQUEST = Request("k3fm9x2q", 2, Migrate("kaditz"), "U01ALICE", allowed_hosts=("kaditz",), expires_at=NOW + 60)
TEXT = codec.encode_message(REQUEST)
FORGED: dict[str, Callable[[], tuple[str, str]]] = {
    "unsigned": lambda: (TEXT, ""),
    "with another key": lambda: (TEXT, OTHER.sign(TEXT)),
    "with another text's signature": lambda: (TEXT, KEY.sign(TEXT + " ")),
    "with a signature in capitals": lambda: (TEXT, KEY.sign(TEXT).upper()),
    "with no ASCII": lambda: (TEXT, "ü" * 64),
    "of another host": lambda: (TEXT.replace("kaditz", "tondi"), KEY.sign(TEXT)),
    "by somebody else": lambda: (TEXT.replace("U01ALICE", "U02BOB"), KEY.sign(TEXT)),
    "of another run": lambda: (TEXT.replace("k3fm9x2q", "aaaaaaaa"), KEY.sign(TEXT)),
    "with another verb": lambda: (TEXT.replace('"migrate"', '"retire"'), KEY.sign(TEXT)),
    "with a yes put in": lambda: (
        codec.encode_message(replace(REQUEST, approvals=(Approval("U02BOB", "f00d", NOW),))),
        KEY.sign(TEXT),
    ),
    "with more time": lambda: (codec.encode_message(replace(REQUEST, expires_at=NOW + 600)), KEY.sign(TEXT)),
    "expired": lambda: signed(replace(REQUEST, expires_at=NOW - 1)),
    "never to expire": lambda: signed(replace(REQUEST, expires_at=NOW + 10**9)),
    "without an end": lambda: signed(replace(REQUEST, expires_at=0.0)),
}


def signed(request: Request, key: SigningKey = KEY) -> tuple[str, str]:
    text = codec.encode_message(request)
    return text, key.sign(text)


def emitted_bodies(redis: Redis, run: str = REQUEST.run) -> list[events.EventBody]:
    return streams.event_bodies(redis, run, KEY)


def test_what_the_bot_signed_is_taken_up_once(redis: Redis) -> None:
    assert admission.admit(*signed(REQUEST), KEY, redis, NOW) == REQUEST
    with pytest.raises(admission.JobRejected, match="already processed"):
        admission.admit(*signed(REQUEST), KEY, redis, NOW)
    with pytest.raises(admission.JobRejected, match="already processed"):
        admission.admit(*signed(replace(REQUEST, expires_at=NOW + 120)), KEY, redis, NOW)
    assert emitted_bodies(redis) == [], "whoever repeats it writes nothing over what the first one told"
    ttl = redis.ttl(version.consumed_key(REQUEST.run, REQUEST.job))
    assert ttl > admission.MAX_REQUEST_LIFETIME, "it is remembered for longer than any request is good for"


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_or_old_one_ends_in_words(redis: Redis, how: str) -> None:
    text, signature = FORGED[how]()
    with pytest.raises((admission.JobRejected, codec.UnsupportedVersion)):
        admission.admit(text, signature, KEY, redis, NOW)
    request = codec.decode_request(text)
    (end,) = emitted_bodies(redis, request.run)
    assert isinstance(end, JobFinished)
    assert (end.outcome, end.state) == ("refused", "Nothing was changed.")
    assert not redis.exists(version.consumed_key(request.run, request.job)), "the true one can still come"


def test_a_forged_one_writes_nothing_over_a_run_that_goes_on(redis: Redis) -> None:
    EventWriter(redis, KEY, REQUEST.run, REQUEST.job, lambda: NOW).emit(JobStarted("kaditz"))
    with pytest.raises(admission.JobRejected):
        admission.admit(TEXT, "", KEY, redis, NOW)
    assert emitted_bodies(redis) == [JobStarted("kaditz")]


ARGUMENTS: list[tuple[object, ...]] = [
    (TEXT,), (TEXT, OTHER.sign(TEXT)), (TEXT, 7), (TEXT, None), (TEXT, "\ud800"), ("{", ""), ("\ud800", ""), (7, ""),
    (),
]  # fmt: skip


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_rq_worker_itself_does_not_come_to_the_work(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]
) -> None:
    """The real job function in RQ's own worker; what would do the work must not be reached."""
    reached: list[object] = []
    monkeypatch.setattr(run, "run_handler", lambda *call: reached.append(call))
    monkeypatch.setattr(redis_connection, "connect", lambda *_: redis)
    monkeypatch.setattr(signing, "load_signing_key", lambda: KEY)
    work(redis, "forged", *arguments)
    assert reached == []
    assert Job.fetch("forged", redis, JSONSerializer).get_status() is JobStatus.FAILED
    monkeypatch.setattr(run.time, "time", lambda: NOW)
    work(redis, "true", *signed(REQUEST))
    assert len(reached) == 1, "the bot's own one is done"
    work(redis, "replayed", *signed(REQUEST))
    assert len(reached) == 1


def work(redis: Redis, job_id: str, *arguments: object) -> None:
    queue = Queue("changes", connection=redis, serializer=JSONSerializer, job_class=AllowlistedJob)
    queue.enqueue(version.JOB_FUNCTION, args=arguments, job_id=job_id)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer, job_class=AllowlistedJob)
    worker.work(burst=True, logging_level="CRITICAL")
