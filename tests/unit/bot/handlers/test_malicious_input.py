"""Hostile input at the desk: always one answer in private, nothing enqueued, nothing written, and nobody pinged."""

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
from bot.messages import run_message
from bot.messages.block_kit import Message
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
LIVE = re.compile(r"<(?:!(?!date\^)|@|#|https?:|mailto:)")  # what Slack would make a mention or a link of
ANYTIME = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def harmless(message: Message) -> bool:
    return not LIVE.search(f"{message.text}{message.blocks}")


@pytest.mark.parametrize("text", [*TYPED, "x" * (MAX_LENGTH + 1), "migrate " + "k" * 4000, "migrate " + "k" * 254])
def test_what_is_typed(redis: Redis, text: str) -> None:
    bench = BotHarness(redis, ALL)
    before = {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")}
    bench.types("alice", text)
    (answer,) = bench.replies
    assert harmless(answer)
    assert {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")} == before


@pytest.mark.parametrize("value", TABLE["values"])
@pytest.mark.parametrize("verdict", ["accept", "reject", "cancel"])
def test_what_a_button_carries(redis: Redis, value: str, verdict: str) -> None:
    bench = BotHarness(redis, ALL)
    run = bench.create_run("pending")
    before = {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")}
    bench.clicks("bob", value.replace("{run}", run).replace("{RUN}", run.upper()), verdict)  # type: ignore[arg-type]
    (answer,) = bench.replies
    assert harmless(answer)
    assert {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")} == before


@ANYTIME
@given(st.sampled_from([verb.name for verb in COMMANDS]), st.text(max_size=60))
def test_whatever_follows_a_verb_only_known_hosts_are_reached(redis: Redis, verb: str, rest: str) -> None:
    redis.flushall()
    bench = BotHarness(redis, ALL)
    bench.types("alice", f"{verb} {rest}")
    requests = list(bench.enqueued_requests().values())
    command_types = {request.command.type for request in requests}
    assert len(requests) + len(bench.replies) == 1 + ("doctor" in command_types), (
        "a job, or an answer; a doctor's is both"
    )
    for request in requests:
        assert getattr(request.command, "host", "kaditz") in HOSTS
        assert re.fullmatch("[a-z0-9]{0,40}", getattr(request.command, "node", ""))
        assert set(request.allowed_hosts) <= {*HOSTS, "*"}
    assert all(map(harmless, bench.replies))


@ANYTIME
@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_button_says_one_answer(redis: Redis, value: str, channel: str, message: str, user: str) -> None:
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
def test_what_a_host_claims_is_shown_literally(claim: str) -> None:
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
def test_no_text_comes_out_of_the_wire_as_another(text: str) -> None:
    """An event is read back as it was told, or refused; a stream's foreign entries are passed over."""
    event = Event("r", 1, 1, 0.0, JobFinished("failed", text))
    assert codec.decode_event(codec.encode_message(event)) == event
    signed_event = streams.signed_entry("r", codec.encode_message(event))["event"].encode()
    entries = [("1-1", {b"event": text.encode()}), ("1-2", {}), ("1-3", {b"event": signed_event})]
    assert signed.decode_signed_events("r", entries, streams.KEY) == EventLog((event,), has_unsigned_entries=True)
