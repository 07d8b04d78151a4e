"""Test private replies: examples use the requester's hosts, and invalid data in Redis is ignored."""

import pytest
from redis import Redis

from imker.protocol.version import INVENTORY_KEY, hold_key
from tests.support.bot_harness import BotHarness, current_hold, parse_settings_file

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
    ("who", "command", "expected", "forbidden"),
    [
        ("erin", "help", "`/swarm migrate lei-1`", "kaditz"),
        ("alice", "help", "`/swarm plan connewitz`", "/swarm migrate"),
        ("erin", "migrate", "for example: `/swarm migrate lei-1`", "kaditz"),
        ("alice", "plan", "for example: `/swarm plan connewitz`", "kaditz"),
        ("alice", "migrate", "for example: `/swarm migrate HOST`", "kaditz"),
        ("guest", "migrate kadit", "Guests can't use Imker", "kaditz"),
        ("guest", "frobnicate", "Guests can't use Imker", "/swarm"),
    ],
)
def test_examples_use_hosts_that_the_requester_may_use(
    bench: BotHarness, who: str, command: str, expected: str, forbidden: str
) -> None:
    bench.types(who, command)
    (reply,) = bench.replies
    assert expected in reply.text
    assert expected in "\n".join(block["text"]["text"] for block in reply.blocks if "text" in block)
    assert forbidden not in reply.text


def test_examples_name_no_host_without_an_inventory(bench: BotHarness) -> None:
    bench.redis.delete(INVENTORY_KEY)
    bench.types("alice", "help")
    assert "`/swarm plan HOST`" in bench.replies[0].text


@pytest.mark.parametrize("stored", ["{x", "", "1", '{"a": 1}', "[1, 2]", "\x00"])
def test_ignores_an_invalid_inventory(bench: BotHarness, stored: str) -> None:
    bench.knows(stored)
    bench.types("alice", "plan kaditz")
    assert bench.replies == []
    assert [request.command.type for request in bench.enqueued_requests().values()] == ["plan"]


def test_ignores_a_forged_inventory(bench: BotHarness) -> None:
    """With it, someone who can write to Redis would get every command refused."""
    bench.redis.set(INVENTORY_KEY, '["evil"]')
    bench.types("alice", "plan kaditz")
    assert bench.replies == []
    assert [request.command.type for request in bench.enqueued_requests().values()] == ["plan"]


@pytest.mark.parametrize("stored", ["{x", "", "1", '{"action": "dance", "user": "x", "requested_at": 1}'])
def test_ignores_an_invalid_hold(bench: BotHarness, stored: str) -> None:
    run = bench.create_run("running")
    bench.redis.zadd(hold_key(run), {stored: 1e12})
    assert current_hold(bench.runs, run) is None


def test_does_not_record_the_text_of_an_unauthorized_user(bench: BotHarness) -> None:
    bench.types("guest", "hunter2 is my password")
    (fact,) = bench.audit_facts()
    assert "hunter2" not in str(fact)


def test_slack_turns_no_plain_text_into_links(bench: BotHarness) -> None:
    bench.types("alice", "help")
    texts = [block["text"] for block in bench.replies[0].blocks if block["type"] == "section"]
    assert texts
    assert all(text["verbatim"] for text in texts)
