"""What a story in any order is about: the circle, what people see and press in it, and who has said yes to what."""

import re
import time
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis.stateful import RuleBasedStateMachine
from redis import Redis

from bot.inbox import Delivery
from bot.record import Verdict
from lab.chaos.people import PRESSES
from lab.simulated.fleet import Fleet
from lab.slack.client import Seen
from tests.flow.circle import Circle, Deaths

ROLES = {"connewitz": "manager", "tondi": "manager", "lausen": "worker"}
ALICE, BOB, CAROL = "U01ALICE", "U02BOB", "U03CAROL"
Button = tuple[Seen, str, Verdict]  # where it stood, its value, what it says


class Story(RuleBasedStateMachine):
    def __init__(self, redis: Redis, fleet: Fleet) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.circle = Circle(redis, fleet, self.patch)
        self.accepted: dict[str, float] = {}  # node -> when somebody other than who asked said yes first
        self.known: list[Button] = []  # all that ever could be pressed

    def runs(self) -> list[str]:
        return [record.run for record in self.circle.runs.recent(6)]

    def buttons(self) -> list[Button]:
        found = [button for seen in self.circle.sees() for _, button in _buttons(seen)]
        self.known += [button for button in found if button not in self.known]
        return found

    def delivered(self, delivery: Delivery, dies: Deaths = None, again: bool = False) -> None:
        """Again: to the other bot, as Slack does on another connection."""
        self.circle.deliver(delivery, dies)
        if again:
            self.circle.deliver(delivery, which=1)

    def asked(self, host: str) -> None:
        self.delivered(self.circle.types(ALICE, f"migrate {host} --{ROLES[host]}"))

    def pressed(self, who: str, button: Button, dies: Deaths = None, again: bool = False) -> None:
        seen, value, verdict = button
        if verdict == "accept":
            self.said_yes(who, seen)
        self.delivered(self.circle.presses(who, seen, value, verdict), dies, again)

    def said_yes(self, who: str, seen: Seen) -> None:
        node = re.search(r"sees node `(\w+)`", seen.plain)
        if node and who == BOB:
            self.accepted.setdefault(node[1], time.monotonic())

    def answered(self) -> None:
        """Each question, by somebody who may."""
        for seen in self.circle.sees():
            labels = [(label, who) for label, who in PRESSES if label in seen.buttons]
            for label, who in labels[:1]:
                self.pressed(who, next(button for name, button in _buttons(seen) if name == label))


def _buttons(seen: Seen) -> Iterator[tuple[str, Button]]:
    for block in seen.raw["blocks"]:
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            verdict = cast(Verdict, element["action_id"].removeprefix("run."))
            yield element["text"]["text"], (seen, element["value"], verdict)
