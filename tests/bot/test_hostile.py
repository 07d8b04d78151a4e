"""Hostile input at the desk: always one answer in private, nothing enqueued, nothing written, and nobody pinged."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from bot import blocks
from bot.escape import plain
from bot.grammar import LONGEST
from bot.inbox import Delivery
from bot.kit import Message
from bot.progress import fold
from bot.record import RunRecord
from bot.verbs import VERBS
from jobs import contract
from jobs.contract import Began, Candidate, Ended, Event, Migrate, Quorum, Waiting
from tests import streams
from tests.bot.desk import HOSTS, IDS, OPS, Bench, configured

TABLE = tomllib.loads((Path(__file__).parents[1] / "data/hostile.toml").read_text())
ALL = configured("""
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


@pytest.mark.parametrize("text", [*TYPED, "x" * (LONGEST + 1), "migrate " + "k" * 4000, "migrate " + "k" * 254])
def test_what_is_typed(redis: Redis, text: str) -> None:
    bench = Bench(redis, ALL)
    before = {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")}
    bench.types("alice", text)
    (answer,) = bench.heard
    assert harmless(answer)
    assert {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")} == before


@pytest.mark.parametrize("value", TABLE["values"])
@pytest.mark.parametrize("verdict", ["accept", "reject", "cancel"])
def test_what_a_button_carries(redis: Redis, value: str, verdict: str) -> None:
    bench = Bench(redis, ALL)
    run = bench.run("pending")
    before = {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")}
    bench.clicks("bob", value.replace("{run}", run).replace("{RUN}", run.upper()), verdict)  # type: ignore[arg-type]
    (answer,) = bench.heard
    assert harmless(answer)
    assert {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")} == before


@ANYTIME
@given(st.sampled_from([verb.name for verb in VERBS]), st.text(max_size=60))
def test_whatever_follows_a_verb_only_known_hosts_are_reached(redis: Redis, verb: str, rest: str) -> None:
    redis.flushall()
    bench = Bench(redis, ALL)
    bench.types("alice", f"{verb} {rest}")
    requests = list(bench.requests().values())
    asked = {request.command.type for request in requests}
    assert len(requests) + len(bench.heard) == 1 + ("doctor" in asked), "a job, or an answer; a doctor's is both"
    for request in requests:
        assert getattr(request.command, "host", "kaditz") in HOSTS
        assert re.fullmatch("[a-z0-9]{0,40}", getattr(request.command, "node", ""))
        assert set(request.within) <= {*HOSTS, "*"}
    assert all(map(harmless, bench.heard))


@ANYTIME
@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_button_says_one_answer(redis: Redis, value: str, channel: str, message: str, user: str) -> None:
    redis.flushall()
    bench = Bench(redis, ALL)
    run = bench.run("pending")
    for said in (value, f"{run}:{value}"):
        for who, where in ((user, channel), (IDS["bob"], OPS)):
            clicked = Delivery("click", "d", who, where, said, "", 0.0, "accept", message)
            bench.desk.click(clicked, "accept", bench.heard.append)
    assert len(bench.heard) == 4
    assert bench.decisions() == set()


@pytest.mark.parametrize("claim", TABLE["claims"])
def test_what_a_host_claims_is_shown_literally(claim: str) -> None:
    candidate = Candidate("kaditz", claim, claim, claim, claim)
    waiting = Waiting("accept", "f00d", candidate, Quorum(2, 0, 3, 1), host="kaditz", summary=claim)
    record = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
    for end in (waiting, Ended("failed", claim, claim, claim)):
        events = (Event("k3fm9x2q", 1, 1, 0.0, Began("kaditz")), Event("k3fm9x2q", 1, 2, 0.0, end))
        message = blocks.render(fold(record, events, "over", 0.0))
        shown = f"{message.text}{message.blocks}".replace("<@U01ALICE>", "")
        assert not LIVE.search(shown)
        assert "\x1b" not in shown
        assert plain(message.text) == message.text


@given(st.text(max_size=300))
def test_no_text_comes_out_of_the_wire_as_another(text: str) -> None:
    """An event is read back as it was told, or refused; a stream's foreign entries are passed over."""
    event = Event("r", 1, 1, 0.0, Ended("failed", text))
    assert contract.decode_event(contract.encode(event)) == event
    told = streams.entry("r", contract.encode(event))["event"].encode()
    entries = [("1-1", {b"event": text.encode()}), ("1-2", {}), ("1-3", {b"event": told})]
    assert contract.events_of("r", entries, streams.KEY)[1:] == (event,)
