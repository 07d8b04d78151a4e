"""Users without any right cannot fill the audit log with refusals."""

from collections.abc import Callable

import pytest
from redis import Redis

from bot.handlers.audit import AuditRecorder
from bot.messages.replies import responses
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from tests.support.bot_harness import IDS, LEI, OPS, BotHarness, parse_settings_file

NAMED = parse_settings_file(
    '[slack]\nchannels = ["C01OPS"]\n[rights]\nread = ["U03CAROL", "S02LEI"]\nchange = ["U01ALICE"]'
)
EVERYBODY = parse_settings_file('[slack]\nchannels = ["C01OPS"]\n[rights]\nread = ["*"]\nchange = ["U01ALICE"]')
WAYS: dict[str, Callable[[BotHarness, str], object]] = {
    "commands": lambda bench, who: bench.types(who, "migrate kaditz"),
    "nonsense": lambda bench, who: bench.types(who, "hunter2"),
    "help": lambda bench, who: bench.types(who, "help"),
    "words about runs": lambda bench, who: bench.types(who, "cancel k3fm9x2q"),
    "answers": lambda bench, who: bench.types(who, "accept k3fm9x2q"),
    "stale buttons": lambda bench, who: bench.clicks(who, "k3fm9x2q:1", "accept"),
    "another channel": lambda bench, who: bench.types(who, "status", LEI),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["guest", "gone", "bot", "flow", "other", "sister", "unknown", "mallory", "dave"])
def test_an_outsider_adds_one_entry_per_minute(redis: Redis, who: str, way: str) -> None:
    bench = BotHarness(redis, NAMED)
    for _ in range(40):
        WAYS[way](bench, who)
    (fact,) = bench.audit_facts()
    assert fact.user == IDS[who]
    assert len(bench.replies) == 40, "each command gets a reply"
    assert "hunter2" not in str(fact)


def test_many_outsiders_of_a_kind_add_one_entry(redis: Redis) -> None:
    bench = BotHarness(redis, EVERYBODY)
    for who in ("other", "sister", "unknown", "other", "guest", "gone", "bot"):
        bench.types(who, "nodes")
    assert [(fact.user, fact.details["kind"]) for fact in bench.audit_facts()] == [
        (IDS["other"], "external"), (IDS["guest"], "guest"), (IDS["gone"], "deactivated"), (IDS["bot"], "bot"),
    ]  # fmt: skip


@pytest.mark.parametrize("who", ["alice", "carol", "frank"])
def test_a_user_with_a_right_gets_an_entry_for_each_refusal(redis: Redis, who: str) -> None:
    bench = BotHarness(redis, NAMED)
    for _ in range(3):
        bench.types(who, "accept k3fm9x2q")
    assert [fact.kind for fact in bench.audit_facts()] == ["refused"] * 3


class Counted:
    def __init__(self, redis: Redis) -> None:
        self.now, self.redis = 0.0, redis
        self.recorder = AuditRecorder(
            AuditLog(redis), lambda who: "" if who == "U01ALICE" else "guest", lambda: self.now
        )

    def refused(self, who: str, number: int = 1) -> None:
        for _ in range(number):
            audited_reply = self.recorder.wrap_reply(who, OPS, f"d{self.now}", "/swarm nodes", lambda message: None)
            audited_reply(responses.not_found("no"))

    def entries(self) -> list[tuple[str, str]]:
        facts: list[AuditFact] = [entry.fact for entry in AuditLog(self.redis).entries() if entry]
        return [(fact.user, fact.details.get("more", "")) for fact in facts]


def test_the_next_entry_counts_the_refusals_and_names_the_users(redis: Redis) -> None:
    counted = Counted(redis)
    counted.refused("U1")
    counted.refused("U2", 4)
    counted.refused("U3")
    counted.now = 60.0
    counted.refused("U4")
    assert counted.entries() == [("U1", ""), ("U4", "5 more since the last entry of this kind, by U2, U3")]


def test_writes_the_count_when_no_more_refusals_come(redis: Redis) -> None:
    counted = Counted(redis)
    counted.refused("U1", 3)
    for now in (59.0, 119.0, 120.0, 121.0, 500.0):
        counted.now = now
        counted.recorder.write_counts()
    assert counted.entries() == [("U1", ""), ("", "2 more since the last entry of this kind, by U1")]
    counted.refused("U2")
    assert counted.entries()[2:] == [("U2", "")]


def test_a_day_of_refusals_takes_less_than_a_megabyte(redis: Redis) -> None:
    counted = Counted(redis)
    for second in range(0, 24 * 3600, 20):
        counted.now = float(second)
        counted.refused(f"U{second % 7000}")
        counted.recorder.write_counts()
    assert redis.xlen("audit") == 24 * 60
    assert int(redis.memory_usage("audit", samples=0)) < 2**20
