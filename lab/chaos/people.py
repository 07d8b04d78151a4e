"""People in the channel while things break: they type, wait for the answer, press what is asked, and ask again.

In: what the channel shows. Out: what they typed and pressed, and how each run ended. They know nothing of what is done
to the processes, to Redis or to the hosts.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx

from lab.fleet.hosts import LabHost
from lab.slack.client import Seen, Workspace
from lab.story import ALICE, BOB, OPS

HEARD, UNHEARD = 60.0, 6.0  # seconds until somebody gives up on an acknowledged command; on one that was not
IDLE = 3.0  # seconds with nothing to ask for until somebody looks at the nodes
FINAL = {"✅": "done", "⚠": "done", "🚫": "refused", "❌": "failed", "❓": "lost"}
PRESSES = (
    ("Accept", BOB),
    ("Continue", ALICE),
    ("Resume", ALICE),
    ("Leave them", ALICE),
    ("Leave it", ALICE),
    ("Keep it", ALICE),
)
Say = Callable[[str], None]
Outcome = Literal["", "done", "refused", "failed", "lost"]


@dataclass
class Asked:
    """A command. `acked`: whether Slack heard of it in time; `answer`: what was said, in private or as a run."""

    text: str
    at: float
    acked: bool
    answer: str = ""


@dataclass
class Run:
    """A run's message as it was last seen. `began`, `ended`: by the monotonic clock, `ended` 0 while it goes on."""

    run: str
    host: str
    began: float
    text: str = ""
    outcome: Outcome = ""
    ended: float = 0.0


@dataclass
class People:
    """Two: Alice changes, Bob accepts. `left`: hosts that are still to go; `moved`: how many are in the swarm."""

    workspace: Workspace
    left: list[LabHost] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    moved: int = 0
    accepted: dict[str, float] = field(default_factory=dict)  # node -> when it was accepted first
    say: Say = print
    at_once: int = 3  # runs that are under way at a time
    _waits: tuple[Asked, LabHost | None] | None = None
    _private: set[str] = field(default_factory=set)

    def begin(self, hosts: Sequence[LabHost]) -> None:
        self.left, self.moved = list(hosts), 0

    @property
    def quiet(self) -> bool:
        """Nothing is asked, nothing goes on, nothing is left to do."""
        return not self.left and not self.under_way() and self._waits is None

    def under_way(self) -> list[Run]:
        return [run for run in self.runs.values() if not run.outcome]

    def look(self) -> None:
        """Once: see what is new, press what is asked, type the next command if it is time for one."""
        seen = self.workspace.sees(ALICE, OPS)
        for message in seen:
            if message.ephemeral:
                self._answered(message)
            elif not message.thread and (found := re.search(r"run `(\w+)`", message.plain)):
                self._followed(found[1], message)
        self._given_up()
        if self._waits is None and len(self.under_way()) < self.at_once:
            self._next()

    def ask(self, text: str, host: LabHost | None = None) -> None:
        asked = Asked(text, time.monotonic(), acked=False)
        self.asked.append(asked)
        self._waits = (asked, host)
        try:
            said = self.workspace.say(ALICE, OPS, text)
            asked.acked = bool(said["acked"])
            if said["payload"].get("text"):  # an acknowledgement may hold the answer itself
                asked.answer, self._waits = said["payload"]["text"], None
        except httpx.HTTPError:
            asked.acked = False  # Slack itself cut the line: nobody knows whether it was heard
        self.say(f"        {text}{'' if asked.acked else ': not acknowledged'}")

    def _next(self) -> None:
        """Managers until the first host is in, then any; while none can be asked for, somebody looks at the nodes."""
        busy = {run.host for run in self.under_way()}
        able = [host for host in self.left if host.name not in busy and (self.moved or host.role == "manager")]
        if able:
            self.ask(f"/swarm migrate {able[0].name} --{able[0].role}", able[0])
        elif self.left and "" not in busy and time.monotonic() - self.asked[-1].at > IDLE:
            self.ask("/swarm nodes")

    def _followed(self, run: str, message: Seen) -> None:
        if run not in self.runs:
            found = re.search(r"\*Migrate (\w+)\*", message.plain)
            self.runs[run] = Run(run, found[1] if found else "", time.monotonic())
            self._heard(run, self.runs[run].host)
        known = self.runs[run]
        known.text = message.plain
        outcome = FINAL.get(message.text[:1], "")
        if outcome and not known.outcome:
            known.ended = time.monotonic()
            self.say(f"        run {run} {known.host or 'nodes'}: {outcome}, {known.ended - known.began:.1f} s")
            self._over(known, outcome == "done")
        known.outcome = outcome  # type: ignore[assignment]
        if not outcome and message.buttons:
            self._press(message)

    def _heard(self, run: str, host: str) -> None:
        """The command that is waited for, if this is its run; else one that was not acknowledged, and heard."""
        if self._waits and host == (self._waits[1].name if self._waits[1] else ""):
            self._waits[0].answer = run
            self._waits = None

    def _over(self, run: Run, done: bool) -> None:
        if done and ("in the swarm" in run.text or "is a manager now" in run.text):
            left = [host for host in self.left if host.name != run.host]
            self.moved += len(self.left) - len(left)
            self.left = left

    def _press(self, message: Seen) -> None:
        for label, who in PRESSES:
            if label in message.buttons:
                node = re.search(r"sees node `(\w+)`", message.plain)
                if label == "Accept" and node:
                    self.accepted.setdefault(node[1], time.monotonic())
                try:
                    self.workspace.press(who, message, label)
                except httpx.HTTPError:
                    return  # somebody was faster, or the line was cut: the next look shows it

    def _answered(self, message: Seen) -> None:
        if message.ts in self._private:
            return
        self._private.add(message.ts)
        self.say(f"        in private: {message.text[:80]}")
        if self._waits and "decided already" not in message.text:
            self._waits[0].answer = message.text
            self._waits = None

    def _given_up(self) -> None:
        if self._waits is None:
            return
        asked = self._waits[0]
        if time.monotonic() - asked.at > (HEARD if asked.acked else UNHEARD):
            self._waits = None
