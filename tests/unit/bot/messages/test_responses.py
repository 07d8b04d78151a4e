"""Private answers: their examples are of the asker's own hosts; garbage in Redis is none of anybody's business."""

import pytest
from redis import Redis

from imker.protocol.version import INVENTORY_KEY, hold_key
from tests.support.bot_harness import BotHarness, parse_settings_file

FILE = parse_settings_file("""
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
def bench(redis: Redis) -> BotHarness:
    return BotHarness(redis, FILE)


@pytest.mark.parametrize(
    ("who", "command", "says", "never"),
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
def test_examples_are_of_the_askers_own_hosts(bench: BotHarness, who: str, command: str, says: str, never: str) -> None:
    bench.types(who, command)
    (answer,) = bench.replies
    assert says in answer.text
    assert says in "\n".join(block["text"]["text"] for block in answer.blocks)
    assert never not in answer.text


def test_without_an_inventory_they_are_of_none(bench: BotHarness) -> None:
    bench.redis.delete(INVENTORY_KEY)
    bench.types("alice", "help")
    assert "`/swarm plan HOST`" in bench.replies[0].text


@pytest.mark.parametrize("stored", ["{x", "", "1", '{"a": 1}', "[1, 2]", "\x00"])
def test_an_inventory_that_is_none_of_ours_counts_as_none(bench: BotHarness, stored: str) -> None:
    bench.knows(stored)
    bench.types("alice", "plan kaditz")
    assert bench.replies == []
    assert [request.command.type for request in bench.enqueued_requests().values()] == ["plan"]


def test_a_forged_inventory_makes_no_host_unknown(bench: BotHarness) -> None:
    """Whoever writes to Redis would have every command refused."""
    bench.redis.set(INVENTORY_KEY, '["evil"]')
    bench.types("alice", "plan kaditz")
    assert bench.replies == []
    assert [request.command.type for request in bench.enqueued_requests().values()] == ["plan"]


@pytest.mark.parametrize("stored", ["{x", "", "1", '{"action": "dance", "user": "x", "requested_at": 1}'])
def test_nor_does_a_word_that_nobody_said_hold_a_run(bench: BotHarness, stored: str) -> None:
    run = bench.create_run("running")
    bench.redis.zadd(hold_key(run), {stored: 1e12})
    assert bench.runs.current_hold(run) is None


def test_what_somebody_typed_who_may_not_ask_is_not_kept(bench: BotHarness) -> None:
    bench.types("guest", "hunter2 is my password")
    (fact,) = bench.audit_facts()
    assert "hunter2" not in str(fact)


def test_slack_makes_no_links_of_what_merely_stands_there(bench: BotHarness) -> None:
    bench.types("alice", "help")
    assert all(block["text"]["verbatim"] for block in bench.replies[0].blocks)
