"""Rendering of messages for the terminal, in columns and lines."""

from typing import Any

import pytest

from lab import terminal
from lab.slack.client import VisibleMessage


def cells(*texts: str) -> list[dict[str, str]]:
    return [{"type": "raw_text", "text": text} for text in texts]


def rich(text: str) -> dict[str, Any]:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def task(status: str, **more: Any) -> dict[str, Any]:
    return {"type": "task_card", "task_id": "1", "title": "Upgrade", "status": status, **more}


def button(label: str) -> dict[str, Any]:
    return {"type": "button", "action_id": label, "text": {"type": "plain_text", "text": label}}


def container(title: str, text: str) -> dict[str, Any]:
    return {"type": "container", "title": {"type": "plain_text", "text": title}, "child_blocks": [section(text)]}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize(
    ("block", "expected_text"),
    [
        (section("⏳ *Hosts*  queued\nby <@U01ALICE> at <!date^1^{time_secs}|08:47 UTC>, &lt;3 &amp; `x`"),
         ["⏳ Hosts  queued", "by @alice at 08:47 UTC, <3 & `x`"]),
        ({"type": "table",
          "rows": [cells("NAME", "SWARM", "DOCKER"), cells("connewitz", "", "v26"), cells("a", "b", "c")]},
         ["NAME        SWARM   DOCKER", "connewitz           v26", "a           b       c"]),
        ({"type": "plan", "title": "1 of 4 steps", "tasks": [
            task("pending"), task("in_progress", details=rich("to 26.1")),
            task("complete", details=rich("to 26.1"), output=rich("done  (2 s)")), task("error", output=rich("no"))]},
         ["· Upgrade", "▸ Upgrade: to 26.1", "✓ Upgrade: done  (2 s)", "✗ Upgrade: no"]),
        ({**container("29 checks passed", "clock, disk"), "block_id": "passed_checks"}, ["▸ 29 checks passed"]),
        ({**container("2 of 4 steps done", "✓ *Drain*\n✓ *Join*  (2 s)"), "block_id": "done_steps"},
         ["✓ Drain", "✓ Join  (2 s)"]),
        ({"type": "actions", "elements": [button("Yes"), button("No")]},
         ["[Yes]  [No]"]),
    ],
)  # fmt: skip
def test_renders_a_block(block: dict[str, Any], expected_text: list[str]) -> None:
    assert terminal.render_lines(VisibleMessage({"ts": "1", "text": "", "blocks": [block]})) == expected_text
