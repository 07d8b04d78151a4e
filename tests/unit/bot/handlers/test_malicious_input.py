"""Malicious commands and buttons get one private reply. They enqueue and write nothing, and mention no user."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from bot.commands.parser import MAX_LENGTH
from bot.commands.table import COMMANDS
from bot.handlers.delivery import Delivery
from bot.messages.block_kit import Message
from bot.messages.runs import run_message
from bot.records import RunRecord
from bot.state.run_state import fold
from imker.protocol import codec, signed
from imker.protocol.commands import Migrate
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, JobFinished, JobStarted
from imker.protocol.values import Candidate, Quorum
from imker.text import strip_control
from tests.support import streams
from tests.support.bot_harness import HOSTS, IDS, OPS, BotHarness, parse_settings_file

TABLE = tomllib.loads((Path(__file__).parents[3] / "data/hostile.toml").read_text())
ALL = parse_settings_file("""
[slack]
channels = ["C01OPS"]
[rights]
read = ["*"]
change = ["*"]
accept = ["*"]
""")
ABOUT_HOSTS = ("plan {}", "migrate {}", "retire {}", "start {} web", "migrate all --without {}")
TYPED = [*TABLE["commands"], *(about.format(host) for host in TABLE["hosts"] for about in ABOUT_HOSTS)]
LIVE = re.compile(r"<(?:!(?!date\^)|@|#|https?:|mailto:)")  # what Slack turns into a mention or a link
ANYTIME = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def harmless(message: Message, *mentions: str) -> bool:
    """Return whether nothing in the message mentions anybody. `mentions`: mentions that it makes itself."""
    text = f"{message.text}{message.blocks}"
    for mention in mentions:
        text = text.replace(mention, "")
    return not LIVE.search(text)


@pytest.mark.parametrize("text", [*TYPED, "x" * (MAX_LENGTH + 1), "migrate " + "k" * 4000, "migrate " + "k" * 254])
def test_rejects_malicious_commands(redis: Redis, text: str) -> None:
    bench = BotHarness(redis, ALL)
    before = {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")}
    bench.types("alice", text)
    (answer,) = bench.replies
    assert harmless(answer)
    assert {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")} == before


@pytest.mark.parametrize("value", TABLE["values"])
@pytest.mark.parametrize("verdict", ["accept", "reject", "cancel"])
def test_rejects_tampered_button_values(redis: Redis, value: str, verdict: str) -> None:
    bench = BotHarness(redis, ALL)
    run = bench.create_run("pending")
    before = {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")}
    bench.clicks("bob", value.replace("{run}", run).replace("{RUN}", run.upper()), verdict)  # type: ignore[arg-type]
    (answer,) = bench.replies
    assert harmless(answer)
    assert {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")} == before


@ANYTIME
@given(st.sampled_from([verb.name for verb in COMMANDS]), st.text(max_size=60))
def test_random_arguments_reach_only_known_hosts(redis: Redis, verb: str, rest: str) -> None:
    redis.flushall()
    bench = BotHarness(redis, ALL)
    bench.types("alice", f"{verb} {rest}")
    requests = list(bench.enqueued_requests().values())
    command_types = {request.command.type for request in requests}
    assert len(requests) + len(bench.replies) == 1 + ("doctor" in command_types), (
        "a job or a reply; the doctor has both"
    )
    for request in requests:
        assert getattr(request.command, "host", "kaditz") in HOSTS
        assert re.fullmatch("[a-z0-9]{0,40}", getattr(request.command, "node", ""))
        assert set(request.allowed_hosts) <= {*HOSTS, "*"}
    mentions = ("<#C01OPS>", "<@U01ALICE>") if verb.startswith("watch") else ()
    assert all(harmless(answer, *mentions) for answer in bench.replies)


@ANYTIME
@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_random_button_values_get_one_reply_and_decide_nothing(
    redis: Redis, value: str, channel: str, message: str, user: str
) -> None:
    redis.flushall()
    bench = BotHarness(redis, ALL)
    run = bench.create_run("pending")
    for value_text in (value, f"{run}:{value}"):
        for who, where in ((user, channel), (IDS["bob"], OPS)):
            clicked = Delivery("click", "d", who, where, value_text, "", 0.0, "accept", message)
            bench.handler.handle_action(clicked, "accept", bench.replies.append)
    assert len(bench.replies) == 4
    assert bench.decision_keys() == set()


@pytest.mark.parametrize("claim", TABLE["claims"])
def test_shows_claims_of_a_host_literally(claim: str) -> None:
    candidate = Candidate("kaditz", claim, claim, claim, claim)
    waiting = DecisionRequested("accept", "f00d", candidate, Quorum(2, 0, 3, 1), host="kaditz", summary=claim)
    record = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
    for end in (waiting, JobFinished("failed", claim, claim, claim)):
        events = (Event("k3fm9x2q", 1, 1, 0.0, JobStarted("kaditz")), Event("k3fm9x2q", 1, 2, 0.0, end))
        message = run_message.render(fold(record, EventLog(tuple(events)), "finished", 0.0))
        visible_text = f"{message.text}{message.blocks}".replace("<@U01ALICE>", "")
        assert not LIVE.search(visible_text)
        assert "\x1b" not in visible_text
        assert strip_control(message.text) == message.text


@given(st.text(max_size=300))
def test_events_survive_encoding_and_invalid_entries_are_skipped(text: str) -> None:
    """Check that an event decodes to itself, and that invalid entries of a stream are skipped."""
    event = Event("r", 1, 1, 0.0, JobFinished("failed", text))
    assert codec.decode_event(codec.encode_message(event)) == event
    signed_event = streams.signed_entry("r", codec.encode_message(event))["event"].encode()
    entries = [("1-1", {b"event": text.encode()}), ("1-2", {}), ("1-3", {b"event": signed_event})]
    assert signed.decode_signed_events("r", entries, streams.KEY) == EventLog((event,), has_unsigned_entries=True)
