"""Private answers: their examples are of the asker's own hosts; garbage in Redis is none of anybody's business."""

import pytest
from redis import Redis

from jobs.contract import INVENTORY, hold_key
from tests.bot.desk import Bench, configured

FILE = configured("""
[slack]
channels = ["C01OPS"]
[rights]
read = ["U01ALICE"]
[[rights.rule]]
who = ["U05ERIN"]
verbs = ["plan", "migrate"]
hosts = ["lei-*"]
""")


@pytest.fixture
def bench(redis: Redis) -> Bench:
    return Bench(redis, FILE)


@pytest.mark.parametrize(
    ("who", "typed", "says", "never"),
    [
        ("erin", "help", "`/swarm migrate lei-1`", "kaditz"),
        ("alice", "help", "`/swarm plan connewitz`", "/swarm migrate"),
        ("erin", "migrate", "for example: /swarm migrate lei-1", "kaditz"),
        ("alice", "plan", "for example: /swarm plan connewitz", "kaditz"),
        ("alice", "migrate", "for example: /swarm migrate HOST", "kaditz"),
        ("guest", "migrate kadit", "guests of this workspace", "kaditz"),
        ("guest", "frobnicate", "guests of this workspace", "/swarm"),
    ],
)
def test_examples_are_of_the_askers_own_hosts(bench: Bench, who: str, typed: str, says: str, never: str) -> None:
    bench.types(who, typed)
    (answer,) = bench.heard
    assert says in answer.text
    assert says in "\n".join(block["text"]["text"] for block in answer.blocks)
    assert never not in answer.text


def test_without_an_inventory_they_are_of_none(bench: Bench) -> None:
    bench.redis.delete(INVENTORY)
    bench.types("alice", "help")
    assert "`/swarm plan HOST`" in bench.heard[0].text


@pytest.mark.parametrize("kept", ["{x", "", "1", '{"a": 1}', "[1, 2]", "\x00"])
def test_an_inventory_that_is_none_of_ours_counts_as_none(bench: Bench, kept: str) -> None:
    bench.knows(kept)
    bench.types("alice", "plan kaditz")
    assert bench.heard == []
    assert [request.command.type for request in bench.requests().values()] == ["plan"]


def test_a_forged_inventory_makes_no_host_unknown(bench: Bench) -> None:
    """Whoever writes to Redis would have every command refused."""
    bench.redis.set(INVENTORY, '["evil"]')
    bench.types("alice", "plan kaditz")
    assert bench.heard == []
    assert [request.command.type for request in bench.requests().values()] == ["plan"]


@pytest.mark.parametrize("kept", ["{x", "", "1", '{"what": "dance", "by": "x", "at": 1}'])
def test_nor_does_a_word_that_nobody_said_hold_a_run(bench: Bench, kept: str) -> None:
    run = bench.run("running")
    bench.redis.zadd(hold_key(run), {kept: 1e12})
    assert bench.runs.held(run) is None


def test_what_somebody_typed_who_may_not_ask_is_not_kept(bench: Bench) -> None:
    bench.types("guest", "hunter2 is my password")
    (fact,) = bench.recorded()
    assert "hunter2" not in str(fact)


def test_slack_makes_no_links_of_what_merely_stands_there(bench: Bench) -> None:
    bench.types("alice", "help")
    assert all(block["text"]["verbatim"] for block in bench.heard[0].blocks)
