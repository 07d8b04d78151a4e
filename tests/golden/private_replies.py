"""Let simulated users type and click, and return their private replies."""

from typing import Any, Literal

from redis import Redis

from bot.messages.block_kit import Message
from tests.golden.text_layout import message, section
from tests.support.bot_harness import BotHarness, parse_settings_file

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


def create_harness(redis: Redis, rights: str = RIGHTS) -> BotHarness:
    redis.flushall()
    return BotHarness(redis, parse_settings_file(rights))


def replies(bench: BotHarness, *commands: tuple[str, str], channel: str = "C01OPS") -> list[str]:
    """Type each command as this user and return the replies."""
    return [reply(bench, f"{who}: /swarm {text}", "types", who, text, channel) for who, text in commands]


def reply(bench: BotHarness, title: str, act: Literal["types", "clicks"], *arguments: Any, **how: Any) -> str:
    """Type or click as a user and return the reply."""
    bench.replies.clear()
    getattr(bench, act)(*arguments, **how)
    arguments = [message(item.text, item.blocks, *refusal_lines(item)) for item in bench.replies]
    return section(title, *(arguments or ["(no private reply)"]))


def refusal_lines(reply: Message) -> list[str]:
    return [f"refusal: {reply.refusal}"] if reply.refusal else []


def plain(reply: Message) -> list[str]:
    return [message(reply.text, reply.blocks, *refusal_lines(reply))]
