"""Define a step that a reader of a run can take next. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.records import Choice


@dataclass(frozen=True)
class NextStep:
    """A step that a reader can take next.

    `name`: unique in its message; `label`: on the button; `command`: what to type instead, without the slash command's
    name, "" if there is only the button; `description`: for screen readers; `confirm`: the text of the confirmation
    dialog, "" for none; `choice`: the answer to the run's question, None for a button that does what its command does;
    `in_menu`: an item of the message's menu, which acts at once. In the rows of a table, texts in braces stand for
    fields of the run.
    """

    name: str
    label: str
    command: str
    description: str
    style: Literal["", "primary", "danger"] = ""
    confirm: str = ""
    choice: Choice | None = None
    in_menu: bool = False
