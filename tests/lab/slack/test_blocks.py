"""Every limit of Slack's, on both sides."""

from typing import Any

import pytest

from lab.slack import blocks
from lab.slack.blocks import problems

Block = dict[str, Any]


def section(length: int) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * length}}


def table(rows: int, columns: int = 1, text: str = "x") -> Block:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": text}] * columns] * rows}


def task(number: int = 1, status: str = "complete") -> Block:
    return {"type": "task_card", "task_id": str(number), "title": "t", "status": status}


def plan(*tasks: Block) -> Block:
    return {"type": "plan", "title": "p", "tasks": list(tasks)}


def button(value: int = 1, label: int = 1, action: str = "a", style: str = "primary") -> Block:
    text = {"type": "plain_text", "text": "x" * label}
    return {"type": "button", "text": text, "value": "v" * value, "action_id": action, "style": style}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ([section(1)] * 50, [section(1)] * 51),
        ([section(3000)], [section(3001)]),
        ([section(1)], [section(0)]),
        ([table(100)], [table(101)]),
        ([table(1, 20)], [table(1, 21)]),
        ([table(1, 1, "x")], [table(1, 1, "")]),
        ([table(100, 10, "x" * 10)], [table(100, 10, "x" * 11)]),
        ([table(1)], [table(1), table(1)]),
        ([plan(task(1), task(2))], [plan(task(1), task(1))]),
        ([plan(task(1))], [plan(), plan()]),
        ([task(status="in_progress")], [task(status="completed")]),
        (
            [actions(*(button(action=str(n)) for n in range(25)))],
            [actions(*(button(action=str(n)) for n in range(26)))],
        ),
        ([actions(button(action="a"), button(action="b"))], [actions(button(), button())]),
        ([actions(button(value=2000))], [actions(button(value=2001))]),
        ([actions(button(label=75))], [actions(button(label=76))]),
        ([actions(button(style="danger"))], [actions(button(style="green"))]),
        ([section(3000)] * 4, [section(3000)] * 5),
        ([{"type": "divider"}], [{"type": "alert"}]),
        ([{**section(1), "block_id": "a"}], [{**section(1), "block_id": "a"}] * 2),
    ],
)
def test_both_sides(good: list[Block], bad: list[Block]) -> None:
    assert problems(good) == []
    assert problems(bad)


def test_slack_names_its_errors() -> None:
    assert problems([table(1), table(1)])[0] == "only_one_table_allowed"
    assert "msg_blocks_too_long" in problems([section(3000)] * 5)
    assert blocks.size([section(7)]) == 7
