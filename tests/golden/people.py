"""Have simulated people type and click, and return what each hears in private."""

from typing import Any, Literal

from redis import Redis

from bot.kit import Message
from tests.bot.desk import Bench, configured
from tests.golden.page import message, section

AT = 1_795_440_000.0
RIGHTS = """
[slack]
channels = ["C01OPS", "C04LEI"]
[rights]
read = ["U08DAVE", "U01ALICE"]
change = ["U01ALICE", "S01STAFF"]
accept = ["U02BOB", "U01ALICE"]
[[rights.rule]]
who = ["U05ERIN"]
verbs = ["plan", "migrate", "status", "continue"]
hosts = ["lei-*"]
[[rights.rule]]
who = ["U06FRANK"]
verbs = ["audit", "hosts"]
channels = ["C04LEI"]
"""
PEOPLE = {
    "alice": "read, change and accept", "bob": "accept, and change by a group", "dave": "read, and change by a group",
    "erin": "plan, migrate, status and continue on lei-*", "frank": "audit and hosts, in another channel",
    "heidi": "nothing",
}  # fmt: skip


def bench(redis: Redis, rights: str = RIGHTS) -> Bench:
    redis.flushall()
    return Bench(redis, configured(rights))


def replies(bench: Bench, *typed: tuple[str, str], channel: str = "C01OPS") -> list[str]:
    """Type each command as that person, and return what each hears."""
    return [reply(bench, f"{who}: /swarm {text}", "types", who, text, channel) for who, text in typed]


def reply(bench: Bench, title: str, act: Literal["types", "clicks"], *said: Any, **how: Any) -> str:
    """Have somebody type or click, and return what they hear."""
    bench.heard.clear()
    getattr(bench, act)(*said, **how)
    said = [message(one.text, one.blocks, *kind(one)) for one in bench.heard]
    return section(title, *(said or ["(no private reply)"]))


def kind(said: Message) -> list[str]:
    return [f"refusal: {said.refusal}"] if said.refusal else []


def plain(said: Message) -> list[str]:
    return [message(said.text, said.blocks, *kind(said))]
