"""The welcome says whether the channel is configured, who may do what, and what to type first."""

import pytest

from bot.auth.rights import Rights, Rule
from bot.messages.replies.welcome import welcome

RIGHTS = Rights(
    read=("*",), change=("U01ALICE", "S01OPS"), rule=(Rule(who=("U02BOB",), verbs=("accept",), channels=("C01OPS",)),)
)


@pytest.mark.parametrize(
    ("channel", "with_names", "expected", "forbidden"),
    [
        ("C01OPS", True, "*change* (migrate hosts): <@U01ALICE>, <!subteam^S01OPS>", "not configured"),
        ("C01OPS", True, "*accept* (accept new managers): <@U02BOB>", ""),
        ("C02LEI", True, "*accept* (accept new managers): no user yet", "U02BOB"),
        ("C01OPS", True, "every member of the workspace", "<!channel>"),
        ("C01OPS", False, "`/swarm plan HOST`", "<@"),
        ("C09NEW", True, "add `C09NEW` to `[slack] channels`", "<@"),
        ("C09NEW", True, "<#C01OPS> or <#C02LEI>", ""),
    ],
)
def test_welcomes(channel: str, with_names: bool, expected: str, forbidden: str) -> None:
    text = welcome(channel, ("C01OPS", "C02LEI"), RIGHTS, with_names).text
    assert expected in text
    assert not forbidden or forbidden not in text
