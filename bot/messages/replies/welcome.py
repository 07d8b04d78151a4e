"""Render the welcome to a channel that the bot joined. Pure."""

from bot.auth.rights import Rights
from bot.messages.block_kit import Message, ephemeral

RIGHTS = (
    ("read", "look at hosts, nodes, plans, and runs"),
    ("change", "migrate hosts"),
    ("accept", "accept new managers"),
)
FIRST_STEPS = (
    "First steps: `/swarm hosts` shows every host, `/swarm plan HOST` shows what a migration would do, and `/swarm` "
    "opens a form. `/swarm help` lists what you may do."
)


def welcome(channel: str, channels: tuple[str, ...], rights: Rights, with_names: bool) -> Message:
    """Say whether Imker accepts commands in the channel, who may do what, and what to type first.

    `with_names`: name the holders of each right. A new message that names people alerts them, so the message is posted
    without names first and then edited, which alerts no one.
    """
    if channel not in channels:
        where = " or ".join(f"<#{each}>" for each in channels)
        use = f" Imker accepts commands in {where}." if where else ""
        return ephemeral(
            f"👋 Imker is here, but this channel is not configured.{use} To use it here, add `{channel}` to "
            "`[slack] channels` in `imker.toml`, and restart the bot and the reconciler."
        )
    lines = ["👋 Imker moves Docker hosts into swarm mode. It accepts commands in this channel."]
    lines += _holder_lines(channel, rights) if with_names else []
    return ephemeral("\n".join([*lines, FIRST_STEPS]))


def _holder_lines(channel: str, rights: Rights) -> list[str]:
    return [f"*{right}* ({what}): {_holders(channel, rights, right)}" for right, what in RIGHTS]


def _holders(channel: str, rights: Rights, right: str) -> str:
    """Return who has the right in the channel, on some host at least."""
    rules = [rule for rule in rights.rules if right in rule.verbs and channel in (rule.channels or (channel,))]
    people = dict.fromkeys(member for rule in rules for member in rule.who)
    if "*" in people:
        return "every member of the workspace"
    names = [f"<!subteam^{member}>" if member.startswith("S") else f"<@{member}>" for member in people]
    return ", ".join(names) or "no user yet"
