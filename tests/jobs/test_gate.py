"""What is not signed by the bot, is too old, or comes twice, is refused in words, and changes nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from imker import broker, signing
from imker.signing import Key
from jobs import contract, gate, run
from jobs.contract import Approval, Began, Ended, Migrate, Request
from jobs.guard import GuardedJob
from jobs.journal import Journal
from tests import streams

KEY, OTHER = Key("k" * 64), Key("x" * 64)
NOW = 1_795_440_000.0
REQUEST = Request("k3fm9x2q", 2, Migrate("kaditz"), "U01ALICE", within=("kaditz",), expires=NOW + 60)
TEXT = contract.encode(REQUEST)
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
        contract.encode(replace(REQUEST, approvals=(Approval("U02BOB", "f00d", NOW),))),
        KEY.sign(TEXT),
    ),
    "with more time": lambda: (contract.encode(replace(REQUEST, expires=NOW + 600)), KEY.sign(TEXT)),
    "expired": lambda: signed(replace(REQUEST, expires=NOW - 1)),
    "never to expire": lambda: signed(replace(REQUEST, expires=NOW + 10**9)),
    "without an end": lambda: signed(replace(REQUEST, expires=0.0)),
}


def signed(request: Request, key: Key = KEY) -> tuple[str, str]:
    text = contract.encode(request)
    return text, key.sign(text)


def told(redis: Redis, run: str = REQUEST.run) -> list[contract.Body]:
    return streams.told(redis, run, KEY)


def test_what_the_bot_signed_is_taken_up_once(redis: Redis) -> None:
    assert gate.admit(*signed(REQUEST), KEY, redis, NOW) == REQUEST
    with pytest.raises(gate.Refused, match="taken up before"):
        gate.admit(*signed(REQUEST), KEY, redis, NOW)
    with pytest.raises(gate.Refused, match="taken up before"):
        gate.admit(*signed(replace(REQUEST, expires=NOW + 120)), KEY, redis, NOW)
    assert told(redis) == [], "whoever repeats it writes nothing over what the first one told"
    ttl = redis.ttl(contract.used_key(REQUEST.run, REQUEST.job))
    assert ttl > gate.LONGEST, "it is remembered for longer than any request is good for"


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_or_old_one_ends_in_words(redis: Redis, how: str) -> None:
    text, signature = FORGED[how]()
    with pytest.raises((gate.Refused, contract.UnknownContract)):
        gate.admit(text, signature, KEY, redis, NOW)
    request = contract.decode_request(text)
    (end,) = told(redis, request.run)
    assert isinstance(end, Ended)
    assert (end.outcome, end.state) == ("refused", "Nothing was changed.")
    assert not redis.exists(contract.used_key(request.run, request.job)), "the true one can still come"


def test_a_forged_one_writes_nothing_over_a_run_that_goes_on(redis: Redis) -> None:
    Journal(redis, KEY, REQUEST.run, REQUEST.job, lambda: NOW).tell(Began("kaditz"))
    with pytest.raises(gate.Refused):
        gate.admit(TEXT, "", KEY, redis, NOW)
    assert told(redis) == [Began("kaditz")]


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
    monkeypatch.setattr(run, "tell_all", lambda *said: reached.append(said))
    monkeypatch.setattr(broker, "connect", lambda *_: redis)
    monkeypatch.setattr(signing, "load", lambda: KEY)
    work(redis, "forged", *arguments)
    assert reached == []
    assert Job.fetch("forged", redis, JSONSerializer).get_status() is JobStatus.FAILED
    monkeypatch.setattr(run.time, "time", lambda: NOW)
    work(redis, "true", *signed(REQUEST))
    assert len(reached) == 1, "the bot's own one is done"
    work(redis, "replayed", *signed(REQUEST))
    assert len(reached) == 1


def work(redis: Redis, job_id: str, *arguments: object) -> None:
    queue = Queue("changes", connection=redis, serializer=JSONSerializer, job_class=GuardedJob)
    queue.enqueue(contract.JOB_FUNCTION, args=arguments, job_id=job_id)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer, job_class=GuardedJob)
    worker.work(burst=True, logging_level="CRITICAL")
