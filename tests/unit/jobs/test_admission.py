"""Check that unsigned, expired, and repeated jobs are rejected with a reason, and change nothing."""

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
    "with a signature that is not ASCII": lambda: (TEXT, "ü" * 64),
    "of another host": lambda: (TEXT.replace("kaditz", "tondi"), KEY.sign(TEXT)),
    "by another user": lambda: (TEXT.replace("U01ALICE", "U02BOB"), KEY.sign(TEXT)),
    "of another run": lambda: (TEXT.replace("k3fm9x2q", "aaaaaaaa"), KEY.sign(TEXT)),
    "with another command": lambda: (TEXT.replace('"migrate"', '"retire"'), KEY.sign(TEXT)),
    "with an added approval": lambda: (
        codec.encode_message(replace(REQUEST, approvals=(Approval("U02BOB", "f00d", NOW),))),
        KEY.sign(TEXT),
    ),
    "with more time": lambda: (codec.encode_message(replace(REQUEST, expires_at=NOW + 600)), KEY.sign(TEXT)),
    "expired": lambda: signed(replace(REQUEST, expires_at=NOW - 1)),
    "that expires too late": lambda: signed(replace(REQUEST, expires_at=NOW + 10**9)),
    "without an expiry": lambda: signed(replace(REQUEST, expires_at=0.0)),
}


def signed(request: Request, key: SigningKey = KEY) -> tuple[str, str]:
    text = codec.encode_message(request)
    return text, key.sign(text)


def emitted_bodies(redis: Redis, run: str = REQUEST.run) -> list[events.EventBody]:
    return streams.event_bodies(redis, run, KEY)


def test_admits_a_signed_job_once(redis: Redis) -> None:
    assert admission.admit(*signed(REQUEST), KEY, redis, NOW) == REQUEST
    with pytest.raises(admission.JobRejected, match="already processed"):
        admission.admit(*signed(REQUEST), KEY, redis, NOW)
    with pytest.raises(admission.JobRejected, match="already processed"):
        admission.admit(*signed(replace(REQUEST, expires_at=NOW + 120)), KEY, redis, NOW)
    assert emitted_bodies(redis) == [], "a repeat does not overwrite the events of the first"
    ttl = redis.ttl(version.consumed_key(REQUEST.run, REQUEST.job))
    assert ttl > admission.MAX_REQUEST_LIFETIME, "it is remembered for longer than any request is valid"


@pytest.mark.parametrize("how", FORGED)
def test_rejects_a_forged_or_expired_job(redis: Redis, how: str) -> None:
    text, signature = FORGED[how]()
    with pytest.raises((admission.JobRejected, codec.UnsupportedVersion)):
        admission.admit(text, signature, KEY, redis, NOW)
    request = codec.decode_request(text)
    (end,) = emitted_bodies(redis, request.run)
    assert isinstance(end, JobFinished)
    assert (end.outcome, end.state) == ("refused", "Nothing was changed.")
    assert not redis.exists(version.consumed_key(request.run, request.job)), "the real job can still be admitted"


def test_a_forged_job_does_not_overwrite_a_running_one(redis: Redis) -> None:
    EventWriter(redis, KEY, REQUEST.run, REQUEST.job, lambda: NOW).emit(JobStarted("kaditz"))
    with pytest.raises(admission.JobRejected):
        admission.admit(TEXT, "", KEY, redis, NOW)
    assert emitted_bodies(redis) == [JobStarted("kaditz")]


ARGUMENTS: list[tuple[object, ...]] = [
    (TEXT,), (TEXT, OTHER.sign(TEXT)), (TEXT, 7), (TEXT, None), (TEXT, "\ud800"), ("{", ""), ("\ud800", ""), (7, ""),
    (),
]  # fmt: skip


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_rq_worker_never_handles_a_forged_job(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]
) -> None:
    """Run the real job function in RQ's own worker. The handler must not be reached."""
    reached: list[object] = []
    monkeypatch.setattr(run, "run_handler", lambda *call: reached.append(call))
    monkeypatch.setattr(redis_connection, "connect", lambda *_: redis)
    monkeypatch.setattr(signing, "load_signing_key", lambda: KEY)
    work(redis, "forged", *arguments)
    assert reached == []
    assert Job.fetch("forged", redis, JSONSerializer).get_status() is JobStatus.FAILED
    monkeypatch.setattr(run.time, "time", lambda: NOW)
    work(redis, "true", *signed(REQUEST))
    assert len(reached) == 1, "the bot's own job is handled"
    work(redis, "replayed", *signed(REQUEST))
    assert len(reached) == 1


def work(redis: Redis, job_id: str, *arguments: object) -> None:
    queue = Queue("changes", connection=redis, serializer=JSONSerializer, job_class=AllowlistedJob)
    queue.enqueue(version.JOB_FUNCTION, args=arguments, job_id=job_id)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer, job_class=AllowlistedJob)
    worker.work(burst=True, logging_level="CRITICAL")
