"""Check that events are numbered, signed, and announced, and that entries of others are ignored."""

from redis import Redis

from imker.protocol import codec, version
from imker.protocol.events import DecisionRequested, Event, JobFinished, JobStarted, StepStarted
from imker.signing import SigningKey
from jobs.events.writer import EventWriter
from tests.support import streams


def test_numbers_events_and_wakes_the_reconciler(redis: Redis) -> None:
    wakeups = redis.pubsub(ignore_subscribe_messages=True)
    wakeups.subscribe(version.WAKE_CHANNEL)
    wakeups.get_message(timeout=1)
    writer = EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0)
    writer.emit(JobStarted("kaditz"))
    writer.emit(StepStarted("JoinSwarm"))
    events = streams.read_events(redis, "k3fm9x2q")
    assert [(event.number, event.at, event.body.type) for event in events] == [
        (1, 7.0, "job_started"),
        (2, 7.0, "step_started"),
    ]
    assert wakeups.get_message(timeout=1)["data"] == b"k3fm9x2q"
    wakeups.close()


def test_ignores_entries_without_a_valid_signature(redis: Redis) -> None:
    """Neither a forged question counts, which an approval could refer to, nor an event of another run."""
    writer, question = EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0), DecisionRequested("accept", "f00d")
    writer.emit(question)
    text = codec.encode_message(Event("k3fm9x2q", 1, 2, 7.0, DecisionRequested("accept", "evil")))
    entries = (
        {"event": text},
        streams.signed_entry("k3fm9x2q", text, SigningKey("m" * 64)),
        streams.signed_entry("another1", text),
        {"event": b"\xff"},
        {"note": "x"},
    )
    for entry in entries:
        redis.xadd(version.events_key("k3fm9x2q"), entry)  # type: ignore[arg-type]
    assert writer.question_of(1) == question
    text = codec.encode_message(Event("k3fm9x2q", 1, 1, 7.0, DecisionRequested("accept", "evil")))
    redis.xadd(version.events_key("k3fm9x2q"), streams.signed_entry("k3fm9x2q", text))  # type: ignore[arg-type]
    assert writer.question_of(1) == DecisionRequested("accept", "evil"), "a signed entry is read"


def test_replaces_characters_that_cannot_be_encoded(redis: Redis) -> None:
    EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0).emit(JobFinished("failed", "half \ud800 a character"))
    assert streams.event_bodies(redis, "k3fm9x2q") == [JobFinished("failed", "half ? a character")]
