"""Two protocol versions side by side, with messages stored as files: supported ones are read, others are refused.

The files of a version never change. If a test of the current version's files fails, today's code cannot read what
yesterday's code of the same version wrote. The files of version 1 show that runs from before an upgrade are refused in
words; those of version 3 stand for a newer side.
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from redis import Redis

from imker.protocol import codec, events, version
from imker.protocol.commands import Command, Request
from imker.protocol.event_log import EventLog, UnreadableEvent
from imker.protocol.events import Event, EventBody, JobFinished
from imker.protocol.next_command import BotCommand, NextCommand
from imker.run_streams import read_event_log
from imker.signing import SigningKey
from jobs import admission
from tests.support import streams

DATA = Path("tests/data/protocol")
RETRY = (NextCommand(BotCommand("retry", "k3fm9x2q")),)
KEY, NOW = SigningKey("k" * 64), 1_795_440_000.0


def lines_of(name: str) -> list[str]:
    return (DATA / f"{name}.jsonl").read_text().splitlines()


OLD, REQUESTS, NEWER = lines_of("1-requests"), lines_of("2-requests"), lines_of("3-requests")
OLD_EVENTS, EVENTS, NEWER_EVENTS = lines_of("1-events"), lines_of("2-events"), lines_of("3-events")


def kinds(union: Any) -> set[str]:
    return {member.type for member in get_args(get_args(union)[0])}


def emitted_bodies(redis: Redis) -> list[events.EventBody]:
    return streams.event_bodies(redis, "k3fm9x2q", KEY)


def admit(redis: Redis, text: str, signature: str | None = None) -> Request:
    return admission.admit(text, KEY.sign(text) if signature is None else signature, KEY, redis, NOW)


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Make this side use protocol version 3 and no other."""
    monkeypatch.setattr("imker.protocol.version.PROTOCOL_VERSION", 3)
    monkeypatch.setattr("imker.protocol.codec.SUPPORTED_VERSIONS", (3,))
    return monkeypatch


def test_the_files_have_each_type_of_message() -> None:
    assert {json.loads(line)["command"]["type"] for line in REQUESTS} == kinds(Command)
    assert {json.loads(line)["body"]["type"] for line in EVENTS} == kinds(EventBody)


@pytest.mark.parametrize("line", REQUESTS + EVENTS)
def test_reads_stored_messages_of_this_version_without_loss(line: str) -> None:
    document = json.loads(line)
    message: Request | Event = (codec.decode_request if "command" in document else codec.decode_event)(line)
    assert within(document, json.loads(codec.encode_message(message)))


def within(recorded: Any, read: Any) -> bool:
    """Return whether `read` has all that `recorded` has; new fields may have been added."""
    if isinstance(recorded, dict):
        return all(key in read and within(value, read[key]) for key, value in recorded.items())
    if isinstance(recorded, list):
        return len(recorded) == len(read) and all(map(within, recorded, read))
    return bool(recorded == read)


@pytest.mark.parametrize("line", REQUESTS)
def test_admits_an_older_job_of_a_supported_version(redis: Redis, upgraded: Any, line: str) -> None:
    upgraded.setattr("imker.protocol.codec.SUPPORTED_VERSIONS", (2, 3))
    assert admit(redis, line).protocol_version == 2
    assert emitted_bodies(redis) == []


@pytest.mark.parametrize("line", REQUESTS)
def test_refuses_an_older_job_of_an_unsupported_version(redis: Redis, upgraded: Any, line: str) -> None:
    with pytest.raises(admission.JobRejected, match="protocol version 2, these RQ workers use 3"):
        admit(redis, line)
    upgraded.undo()
    assert_refused_before_upgrade(redis, "the job uses protocol version 2, these RQ workers use 3")


@pytest.mark.parametrize("line", OLD)
def test_refuses_a_job_of_version_1(redis: Redis, line: str) -> None:
    with pytest.raises(admission.JobRejected, match="protocol version 1, these RQ workers use 2"):
        admit(redis, line)
    assert_refused_before_upgrade(redis, "the job uses protocol version 1, these RQ workers use 2")


def assert_refused_before_upgrade(redis: Redis, summary: str) -> None:
    (end,) = emitted_bodies(redis)
    assert isinstance(end, JobFinished)
    assert (end.outcome, end.summary, end.state) == ("refused", summary, "Nothing was changed.")
    assert "before an upgrade" in end.hint
    assert end.next_commands == RETRY
    assert not redis.keys("imker:consumed:*")


@pytest.mark.parametrize("line", NEWER)
def test_refuses_a_newer_job_whatever_its_form(redis: Redis, line: str) -> None:
    with pytest.raises(admission.JobRejected, match="protocol version 3, these RQ workers use 2"):
        admit(redis, line)
    (end,) = emitted_bodies(redis)
    assert isinstance(end, JobFinished)
    assert (end.outcome, end.state) == ("refused", "Nothing was changed.")
    assert "The RQ workers are older than the bot: upgrade them." in end.hint
    assert end.next_commands == RETRY


@pytest.mark.parametrize("line", OLD + NEWER)
def test_rejects_an_unsigned_job_of_another_version_as_unsigned(redis: Redis, line: str) -> None:
    with pytest.raises(admission.JobRejected, match="signature is invalid"):
        admit(redis, line, signature="0" * 64)


@pytest.mark.parametrize(("lines", "number"), [(OLD_EVENTS, 1), (NEWER_EVENTS, 3)])
def test_reports_events_of_another_version_and_ignores_the_rest(redis: Redis, lines: list[str], number: int) -> None:
    headless = f'{{"protocol_version": {number}}}', f'{{"run": "x", "job": "one", "protocol_version": {number}}}'
    for text in (*lines, "{", *headless):
        redis.xadd(version.events_key("k3fm9x2q"), streams.signed_entry("k3fm9x2q", text, KEY))  # type: ignore[arg-type]
    redis.xadd(version.events_key("k3fm9x2q"), {"note": "none of ours"})
    log = read_event_log(redis, KEY, "k3fm9x2q")
    assert log == EventLog((), (UnreadableEvent(1, number),) * len(lines), has_unsigned_entries=True)
    assert (log.other_version, log.last_job, log.has_job(1), log.has_job(2)) == (number, 1, True, False)


@pytest.mark.parametrize("line", OLD + OLD_EVENTS)
def test_never_takes_a_message_of_version_1_for_one_of_version_2(line: str) -> None:
    """Some look alike but for the version's field, and fields that are missing have defaults."""
    decode = codec.decode_request if "command" in json.loads(line) else codec.decode_event
    with pytest.raises(codec.UnsupportedVersion, match="protocol version 1"):
        decode(line)
