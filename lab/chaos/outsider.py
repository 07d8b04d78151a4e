"""A simulated user who may read, but not change: each command has to be refused, and to change nothing."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from lab.chaos.planned_commands import OUTSIDERS_COMMANDS
from lab.chaos.users import ACKED_TIMEOUT, UNACKED_TIMEOUT, SentCommand
from lab.slack.client import Workspace
from lab.story import OPS

CAROL = "U03CAROL"
INTERVAL = 4.0  # seconds between two attempts


@dataclass
class Outsider:
    """Types one command after the other, and reads the private replies."""

    workspace: Workspace
    rng: random.Random
    sent_commands: list[SentCommand] = field(default_factory=list)
    say: Callable[[str], None] = print
    _read: set[str] = field(default_factory=set)

    @property
    def is_idle(self) -> bool:
        """Return whether the last command was answered, or will not be."""
        if not self.sent_commands or self.sent_commands[-1].answer:
            return True
        last = self.sent_commands[-1]
        return time.monotonic() - last.sent_at > (ACKED_TIMEOUT if last.acked else UNACKED_TIMEOUT)

    def poll(self, hosts: Sequence[str]) -> None:
        """Read new replies, and try the next command if it is time."""
        self.read_replies()
        if self.is_idle and (not self.sent_commands or time.monotonic() - self.sent_commands[-1].sent_at > INTERVAL):
            self._try(f"/swarm {self.rng.choice(OUTSIDERS_COMMANDS).format(host=self.rng.choice(hosts))}")

    def read_replies(self) -> None:
        for message in self.workspace.visible_messages(CAROL, OPS):
            if message.ephemeral and message.ts not in self._read:
                self._read.add(message.ts)
                self._answer(message.text)

    def _try(self, text: str) -> None:
        sent = SentCommand(text, time.monotonic(), acked=False)
        self.sent_commands.append(sent)
        try:
            response = self.workspace.say(CAROL, OPS, text)
            sent.acked = bool(response["acked"])
            sent.answer = response["payload"].get("text") or ""
        except httpx.HTTPError:
            sent.acked = False  # Slack closed the connection: the bot may have received it or not
        self.say(f"        carol: {text}{'' if sent.acked else ': not acknowledged'}")

    def _answer(self, text: str) -> None:
        """Assign a private reply to the oldest command that it names, else to the oldest one.

        A command without an acknowledgement may have no reply. It comes last.
        """
        waiting = sorted((sent for sent in self.sent_commands if not sent.answer), key=lambda sent: not sent.acked)
        named = [sent for sent in waiting if sent.text.split()[1] in text]
        if best := next(iter(named or waiting), None):
            best.answer = text
