"""Two versions of Imker side by side, over messages kept as files: what is understood is done, all else is refused.

A file of the contract's number 1 never changes: if a test of it fails, today's code cannot read what yesterday's wrote.
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from redis import Redis

from imker import protocol
from imker.protocol import codec, events, version
from imker.protocol.commands import Command, Request
from imker.protocol.events import Event, EventBody, JobFinished, OtherVersion, UnsignedEntry
from imker.signing import SigningKey
from jobs import admission
from tests.support import streams

DATA = Path("tests/data/contract")
KEY, NOW = SigningKey("k" * 64), 1_795_440_000.0
REQUESTS = (DATA / "1-requests.jsonl").read_text().splitlines()
EVENTS = (DATA / "1-events.jsonl").read_text().splitlines()
NEWER = (DATA / "2-requests.jsonl").read_text().splitlines()
NEWER_EVENTS = (DATA / "2-events.jsonl").read_text().splitlines()


def kinds(union: Any) -> set[str]:
    return {member.type for member in get_args(get_args(union)[0])}


def emitted_bodies(redis: Redis) -> list[events.EventBody]:
    return streams.event_bodies(redis, "k3fm9x2q", KEY)


def admit(redis: Redis, text: str, signature: str | None = None) -> Request:
    return admission.admit(text, KEY.sign(text) if signature is None else signature, KEY, redis, NOW)


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This side is of contract 2, and does not take those of 1 for the same."""
    monkeypatch.setattr(protocol, "PROTOCOL_VERSION", 2)
    monkeypatch.setattr("imker.protocol.codec.SUPPORTED_VERSIONS", (2,))
    return monkeypatch


def test_each_kind_of_message_is_kept() -> None:
    assert {json.loads(line)["command"]["type"] for line in REQUESTS} == kinds(Command)
    assert {json.loads(line)["body"]["type"] for line in EVENTS} == kinds(EventBody) - {
        OtherVersion.type,
        UnsignedEntry.type,
    }


@pytest.mark.parametrize("line", REQUESTS + EVENTS)
def test_what_was_written_is_read_as_it_was_meant(line: str) -> None:
    document = json.loads(line)
    message: Request | Event = (codec.decode_request if "command" in document else codec.decode_event)(line)
    assert within(document, json.loads(codec.encode_message(message)))


def within(recorded: Any, read: Any) -> bool:
    """Nothing that was written is lost; new fields may have come."""
    if isinstance(recorded, dict):
        return all(key in read and within(value, read[key]) for key, value in recorded.items())
    if isinstance(recorded, list):
        return len(recorded) == len(read) and all(map(within, recorded, read))
    return bool(recorded == read)


@pytest.mark.parametrize("line", REQUESTS)
def test_an_older_job_is_taken_up_while_it_means_the_same(redis: Redis, upgraded: Any, line: str) -> None:
    upgraded.setattr("imker.protocol.codec.SUPPORTED_VERSIONS", (1, 2))
    assert admit(redis, line).protocol_version == 1
    assert emitted_bodies(redis) == []


@pytest.mark.parametrize("line", REQUESTS)
def test_an_older_job_that_means_something_else_is_refused_in_words(redis: Redis, upgraded: Any, line: str) -> None:
    with pytest.raises(admission.JobRejected, match="the job speaks contract 1, these RQ workers 2"):
        admit(redis, line)
    upgraded.undo()
    assert emitted_bodies(redis) == [
        JobFinished(
            "refused",
            "the job speaks contract 1, these RQ workers 2",
            "Nothing was changed.",
            "It was asked before an upgrade. /swarm retry k3fm9x2q asks again.",
        )
    ]
    assert not redis.keys("imker:used:*")


@pytest.mark.parametrize("line", NEWER)
def test_a_newer_job_is_refused_in_words_whatever_it_looks_like(redis: Redis, line: str) -> None:
    with pytest.raises(admission.JobRejected, match="the job speaks contract 2, these RQ workers 1"):
        admit(redis, line)
    (end,) = emitted_bodies(redis)
    assert isinstance(end, JobFinished)
    assert (end.outcome, end.state) == ("refused", "Nothing was changed.")
    assert end.hint == "The RQ workers are older than the bot: upgrade them. /swarm retry k3fm9x2q asks again."


@pytest.mark.parametrize("line", NEWER)
def test_one_that_nobody_signed_is_not_taken_for_a_newer_one(redis: Redis, line: str) -> None:
    with pytest.raises(admission.JobRejected, match="signature is wrong"):
        admit(redis, line, signature="0" * 64)


def test_events_of_another_contract_are_told_apart_from_what_is_none(redis: Redis) -> None:
    for text in (*NEWER_EVENTS, "{", '{"contract": 2}', '{"run": "x", "job": "one", "contract": 2}'):
        redis.xadd(version.events_key("k3fm9x2q"), streams.signed_entry("k3fm9x2q", text, KEY))  # type: ignore[arg-type]
    redis.xadd(version.events_key("k3fm9x2q"), {"note": "none of ours"})
    assert emitted_bodies(redis) == [UnsignedEntry(), *[OtherVersion(2)] * len(NEWER_EVENTS)]
