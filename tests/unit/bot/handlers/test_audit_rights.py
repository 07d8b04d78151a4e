"""`/swarm audit` shows entries of this channel about hosts that the reader may read."""

import pytest
from redis import Redis

from bot.messages import block_kit
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from tests.support.bot_harness import IDS, LEI, OPS, BotHarness, parse_settings_file

RIGHTS = parse_settings_file("""
[slack]
channels = ["C01OPS", "C04LEI"]
[rights]
read = ["U01ALICE"]
[[rights.rule]]
who = ["S02LEI"]
verbs = ["read"]
hosts = ["lei-*"]
[[rights.rule]]
who = ["U08DAVE"]
verbs = ["audit"]
hosts = ["kaditz", "lei-2"]
channels = ["C04LEI"]
[[rights.rule]]
who = ["U05ERIN"]
verbs = ["nodes", "plan"]
""")
FACTS = (
    AuditFact("1", "asked", "U01ALICE", OPS, "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
    AuditFact("2", "asked", "U01ALICE", OPS, "aaaaaaaa", "lei-1", {"text": "/swarm migrate lei-1"}),
    AuditFact("3", "asked", "U01ALICE", LEI, "bbbbbbbb", "lei-2", {"text": "/swarm migrate lei-2"}),
    AuditFact("4", "asked", "U01ALICE", OPS, "cccccccc", "", {"text": "/swarm migrate all"}),
    AuditFact("5", "asked", "U01ALICE", LEI, "dddddddd", "kaditz", {"text": "/swarm plan kaditz"}),
    AuditFact("6", "refused", "U03CAROL", OPS, details={"why": "denied", "text": "/swarm migrate tondi"}),
    AuditFact("7", "asked", "U01ALICE", OPS, "eeeeeeee", "xlei-1", {"text": "/swarm plan xlei-1"}),
)
TEXTS = {fact.details["text"] for fact in FACTS}


@pytest.fixture
def bench(redis: Redis) -> BotHarness:
    bench = BotHarness(redis, RIGHTS)
    for fact in FACTS:
        AuditLog(redis).append(fact)
    return bench


def shown_texts(bench: BotHarness) -> set[str]:
    return {text for text in TEXTS if text in bench.replies[-1].text}


@pytest.mark.parametrize(
    ("who", "channel", "about", "texts"),
    [
        ("frank", OPS, "", {"/swarm migrate lei-1"}),
        ("frank", LEI, "", {"/swarm migrate lei-2"}),
        ("frank", OPS, "lei-1", {"/swarm migrate lei-1"}),
        ("frank", OPS, "kaditz", set()),
        ("frank", OPS, "cccccccc", set()),
        ("frank", OPS, "U01ALICE", {"/swarm migrate lei-1"}),
        ("frank", OPS, "U03CAROL", set()),
        ("dave", LEI, "", {"/swarm migrate lei-2", "/swarm plan kaditz"}),
        ("alice", OPS, "", {"/swarm migrate kaditz", "/swarm migrate lei-1", "/swarm migrate all",
                            "/swarm migrate tondi", "/swarm plan xlei-1"}),
    ],
)  # fmt: skip
def test_shows_only_entries_about_readable_hosts(
    bench: BotHarness, who: str, channel: str, about: str, texts: set[str]
) -> None:
    bench.types(who, f"audit {about}", channel)
    assert bench.replies[-1].refusal == ""
    assert shown_texts(bench) == texts


@pytest.mark.parametrize(("who", "channel"), [("dave", OPS), ("erin", OPS), ("mallory", OPS), ("guest", OPS)])
def test_denies_the_audit_log_without_the_right(bench: BotHarness, who: str, channel: str) -> None:
    bench.types(who, "audit", channel)
    assert bench.replies[-1].refusal == "denied"
    assert shown_texts(bench) == set()


@pytest.mark.parametrize("who", ["alice", "frank", "dave", "erin", "carol"])
@pytest.mark.parametrize("channel", [OPS, LEI])
def test_help_lists_the_command_only_for_users_who_may_use_it(bench: BotHarness, who: str, channel: str) -> None:
    bench.types(who, "help", channel)
    is_listed = "/swarm audit" in bench.replies[-1].text
    bench.types(who, "audit", channel)
    assert is_listed == (bench.replies[-1].refusal == "")


def test_does_not_claim_that_the_log_is_empty_for_a_reader_of_some_hosts(bench: BotHarness) -> None:
    bench.types("frank", "audit kaditz")
    assert (
        bench.replies[-1].text
        == block_kit.ephemeral("The audit log has no entries about kaditz that you may read here.").text
    )
    bench.types("dave", "audit tondi", LEI)
    assert IDS["alice"] not in bench.replies[-1].text
