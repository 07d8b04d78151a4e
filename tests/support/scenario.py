"""Hold a stateful test: the running stack, the visible buttons, and who approved what."""

import re
import time
from collections.abc import Iterator

import pytest
from hypothesis.stateful import RuleBasedStateMachine
from redis import Redis

from bot.handlers.delivery import Delivery
from lab.chaos.users import BUTTON_PRESSES
from lab.simulated.fleet import Fleet
from lab.slack.client import VisibleMessage
from tests.support.in_process_stack import InProcessStack, KillPoint

ROLES = {"connewitz": "manager", "tondi": "manager", "lausen": "worker"}
ALICE, BOB, CAROL = "U01ALICE", "U02BOB", "U03CAROL"
Button = tuple[VisibleMessage, str, str]  # where it was, its value, and a choice, or "next." and a next step's name


class Scenario(RuleBasedStateMachine):
    def __init__(self, redis: Redis, fleet: Fleet) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.stack = InProcessStack(redis, fleet, self.patch)
        self.approved_at: dict[str, float] = {}  # node -> when a user other than the requester first approved
        self.seen_buttons: list[Button] = []  # all that ever could be pressed

    def recent_runs(self) -> list[str]:
        return [record.run for record in self.stack.runs.recent(6)]

    def find_buttons(self) -> list[Button]:
        visible_buttons = [button for message in self.stack.visible_messages() for _, button in _buttons(message)]
        self.seen_buttons += [button for button in visible_buttons if button not in self.seen_buttons]
        return visible_buttons

    def deliver(self, delivery: Delivery, dies: KillPoint = None, again: bool = False) -> None:
        """Deliver to a bot. `again`: also to the other bot, as Slack does on another connection."""
        self.stack.deliver(delivery, dies)
        if again:
            self.stack.deliver(delivery, which=1)

    def request_migration(self, host: str) -> None:
        self.deliver(self.stack.type_command(ALICE, f"migrate {host} --{ROLES[host]}"))

    def press_button(self, who: str, button: Button, dies: KillPoint = None, again: bool = False) -> None:
        message, value, verdict = button
        if verdict == "accept":
            self.record_approval(who, message)
        self.deliver(self.stack.press_button(who, message, value, verdict), dies, again)

    def record_approval(self, who: str, message: VisibleMessage) -> None:
        node = re.search(r"sees node `(\w+)`", message.plain_text)
        if node and who == BOB:
            self.approved_at.setdefault(node[1], time.monotonic())

    def answer_questions(self) -> None:
        """Answer each open question as a user who may."""
        for message in self.stack.visible_messages():
            answers = {label: button for label, button in _buttons(message) if not button[2].startswith("next.")}
            labels = [(label, who) for label, who in BUTTON_PRESSES if label in answers]
            for label, who in labels[:1]:
                self.press_button(who, answers[label])


def _buttons(message: VisibleMessage) -> Iterator[tuple[str, Button]]:
    for block in message.raw["blocks"]:
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            yield element["text"]["text"], (message, element["value"], element["action_id"].removeprefix("run."))
