"""Rules that Slack enforces on the blocks of a message or view, from its documentation and from observation. Pure.

Every limit has a name here or in lab.slack.validate_text. `find_problems` checks all blocks of a message or view;
lab.slack.validate_blocks checks the content of one block.
"""

from collections.abc import Iterator
from typing import Any, Literal

from lab.slack.validate_blocks import CHECKS, Block, text_length
from lab.slack.validate_text import ID

Surface = Literal["message", "modal", "home"]
MAX_MESSAGE_BLOCKS, MAX_VIEW_BLOCKS = 50, 100  # blocks per message and per view
MAX_BLOCKS_TEXT, MAX_TEXT, MAX_EDITED_TEXT, MAX_MARKDOWN_TEXT, MAX_CHARTS = 13_200, 40_000, 4_000, 12_000, 2
ALL_SURFACES: tuple[Surface, ...] = ("message", "modal", "home")
ALLOWED_SURFACES: dict[str, tuple[Surface, ...]] = {
    **dict.fromkeys(
        ("section", "context", "actions", "divider", "header", "image", "rich_text", "input"), ALL_SURFACES
    ),
    **dict.fromkeys(("table", "data_table", "plan", "task_card", "container", "markdown"), ("message",)),
    "data_visualization": ("message",),
    "card": ("message", "home"),
    "alert": ("modal",),
}
BLOCK_TYPES = tuple(ALLOWED_SURFACES)


def find_problems(blocks: Any, surface: Surface = "message") -> list[str]:
    """Return the problems of blocks, nothing for valid ones. Each starts with Slack's error code."""
    if not isinstance(blocks, list):
        return ["invalid_blocks_format"]
    if not all(isinstance(block, dict) for block in blocks):
        return ["invalid_blocks: a block is an object"]
    block_problems = (
        f"invalid_blocks {index}: {problem}"
        for index, block in enumerate(blocks)
        for problem in _block_problems(block, surface)
    )
    return [*_message_problems(blocks, surface), *block_problems]


def _message_problems(blocks: list[Block], surface: Surface) -> Iterator[str]:
    kinds = [block.get("type") for block in blocks]
    if len(blocks) > (MAX_MESSAGE_BLOCKS if surface == "message" else MAX_VIEW_BLOCKS):
        yield "invalid_blocks: too many blocks"
    # A data_table has its own, higher limit.
    if (
        surface == "message"
        and text_length([block for block in blocks if block.get("type") != "data_table"]) > MAX_BLOCKS_TEXT
    ):
        yield "msg_blocks_too_long"
    if kinds.count("table") + kinds.count("data_table") > 1:
        yield "only_one_table_allowed"
    if kinds.count("plan") > 1:
        yield "invalid_blocks: more than 1 plan block"
    if "plan" in kinds and "task_card" in kinds:
        yield "invalid_blocks: a task_card beside a plan"
    if kinds.count("data_visualization") > MAX_CHARTS:
        yield "invalid_blocks: more than 2 data_visualization blocks"
    if text_length([block for block in blocks if block.get("type") == "markdown"]) > MAX_MARKDOWN_TEXT:
        yield "msg_too_long: 12,000 characters of markdown at most"
    ids = [block["block_id"] for block in blocks if block.get("block_id")]
    if len(ids) != len(set(map(str, ids))):
        yield "invalid_blocks: the same block_id twice"


def _block_problems(block: Block, surface: Surface) -> Iterator[str]:
    """Return the problems of one block. A shape that no check can read is a problem, too."""
    kind = str(block.get("type"))
    if surface not in ALLOWED_SURFACES.get(kind, ()):
        yield f"unsupported type {kind}"
        return
    try:
        if len(block.get("block_id", "")) > ID:
            yield "block_id too long"
        yield from CHECKS[kind](block)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        yield f"no {kind} has this shape"
