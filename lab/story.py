"""The write-up's story, played by people in the channel on the lab's hosts. Raises StoryFailed when it goes otherwise.

Alice may change, Bob may accept; nobody accepts what they asked for themselves.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab import terminal
from lab.fleet.hosts import LabHost
from lab.slack.client import Seen, Workspace

ALICE, BOB, OPS = "U01ALICE", "U02BOB", "C01OPS"
LONGEST = 180  # seconds for one migration
Say = Callable[[str], None]


class StoryFailed(Exception):
    """Where the story went another way than the channel shows; the text says what should stand there."""


@dataclass
class Story:
    workspace: Workspace
    say: Say = print
    _shown: dict[str, frozenset[str]] = field(default_factory=dict)
    _last: str = ""  # the message that the lines before were of

    def play(self, hosts: Sequence[LabHost]) -> None:
        """The first manager, then all others, the host of the key-value store last."""
        self.look(hosts)
        managers = [host for host in hosts if host.role == "manager"] or list(hosts[:1])
        workers = sorted((host for host in hosts if host not in managers), key=lambda host: host.swarm == "store")
        self.ask(f"/swarm plan {managers[0].name}", "nothing was changed")
        self.ask(f"/swarm migrate {managers[0].name} --manager", "is in the swarm")
        for host in managers[1:]:
            self.manager(host)
        for host in workers:
            self.ask(f"/swarm migrate {host.name} --worker", "is in the swarm")
        self.check(hosts, managers)

    def look(self, hosts: Sequence[LabHost]) -> None:
        """All hosts answer."""
        if "without an answer" in self.ask("/swarm hosts", f"{len(hosts)} hosts").plain:
            raise StoryFailed("every host should answer")

    def fleet(self, hosts: Sequence[LabHost]) -> None:
        """All with one command: Alice starts it, Bob accepts the managers as they come."""
        self.look(hosts)
        message = self.ask("/swarm migrate all", "planned: start?")
        self.press(ALICE, message, "Start")
        self.accept_all(message.ts, LONGEST * len(hosts))
        managers = [host for host in hosts if host.role == "manager"] or list(hosts[:1])
        self.check(hosts, managers)
        again = self.ask("/swarm migrate all", "nothing to do")
        if again.buttons:
            raise StoryFailed("there should be nothing to decide")

    def accept_all(self, fleet: str, seconds: float) -> None:
        """Presses Accept under each manager that waits, until the fleet's message says that it is done."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for seen in self.workspace.sees(ALICE, OPS):
                if not seen.thread:
                    self._show(seen)
                if "Accept" in seen.buttons:
                    self.press(BOB, seen, "Accept")
                    self.until(seen.ts, "is a manager now")
            message = next(seen for seen in self.workspace.sees(ALICE, OPS) if seen.ts == fleet)
            if re.search("^(✅|❌|🚫|❓)", message.text):
                if not message.text.startswith("✅"):
                    raise StoryFailed("the fleet's message should say that it is done")
                return
            time.sleep(0.3)
        raise StoryFailed("the fleet should be moved by now")

    def manager(self, host: LabHost) -> None:
        """Joined on Alice's word, accepted by Bob's button."""
        message = self.ask(f"/swarm migrate {host.name} --manager", "waits to be accepted as a manager.")
        if not {"Accept", "Reject"} <= set(message.buttons):
            raise StoryFailed("there should be buttons under the last message")
        self.press(BOB, message, "Accept")
        done = self.until(message.ts, "is a manager now")
        if done.buttons or "Accepted by <@U02BOB>" not in done.plain:
            raise StoryFailed("the buttons should be gone, and who decided be named")

    def check(self, hosts: Sequence[LabHost], managers: Sequence[LabHost]) -> None:
        """The node table, as the story says it ends."""
        table = self.ask("/swarm nodes", f"{len(hosts)} nodes").plain
        for host in hosts:
            row = next((line for line in table.splitlines() if f"  {host.name}  " in line), "")
            wanted = r"(Leader|Reachable)" if host in managers else r""
            if not re.search(rf"Accepted  Ready  Active  {wanted}\s+26\.1", row):
                raise StoryFailed(f"{host.name} should be a Ready {'manager' if host in managers else 'worker'}")

    def ask(self, text: str, until: str) -> Seen:
        """What Alice types, and the message it becomes once it says `until`."""
        self.say(f"\nalice: {text}")
        before = max((message.ts for message in self.workspace.sees(ALICE, OPS)), default="")
        ack = self.workspace.say(ALICE, OPS, text)
        if not ack["acked"]:
            raise StoryFailed(f"{text} was not acknowledged")
        message = self.workspace.wait(ALICE, OPS, lambda seen: not seen.thread and seen.ts > before, 20)
        self._last = message.ts
        return self.until(message.ts, until, otherwise="^(❌|🚫|❓|✋)")

    def press(self, user: str, message: Seen, button: str) -> None:
        self.say(f"\n{terminal.NAMES[user]} presses {button}")
        self.workspace.press(user, message, button)
        self._last = message.ts

    def until(self, ts: str, until: str, otherwise: str = "^(❌|🚫|❓)") -> Seen:
        """`otherwise`: how a message begins that will not come to say it by itself."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            message = next(seen for seen in self.workspace.sees(ALICE, OPS) if seen.ts == ts)
            self._show(message)
            if until in message.plain:
                return message
            if re.search(otherwise, message.text):
                break
            time.sleep(0.2)
        raise StoryFailed(f"the last message should say {until!r}")

    def _show(self, message: Seen) -> None:
        """Lines that are new since the last look, as the channel would show them; a column that moved is not new."""
        now = {" ".join(line.split()): line for line in terminal.lines(message)}
        new = [line for words, line in now.items() if words not in self._shown.get(message.ts, ())]
        self._shown[message.ts] = frozenset(now)
        if new and message.ts != self._last:
            self.say("")
        for line in new:
            self.say("  " + line)
            self._last = message.ts
