"""The write-up's story, played by people in the channel on the lab's hosts. Raises StoryFailed when it goes otherwise.

Alice may change, Bob may accept; nobody accepts what they asked for themselves.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab import terminal
from lab.fleet.hosts import LabHost
from lab.slack.client import VisibleMessage, Workspace

ALICE, BOB, OPS = "U01ALICE", "U02BOB", "C01OPS"
MIGRATION_TIMEOUT = 180  # seconds for one migration
Say = Callable[[str], None]


class StoryFailed(Exception):
    """Where the story went another way than the channel shows; the text says what should stand there."""


@dataclass
class Story:
    workspace: Workspace
    say: Say = print
    _printed_lines: dict[str, frozenset[str]] = field(default_factory=dict)
    _last_ts: str = ""  # the message that the lines before were of

    def play_migrations(self, hosts: Sequence[LabHost]) -> None:
        """The first manager, then all others, the host of the key-value store last."""
        self.expect_all_reachable(hosts)
        managers = [host for host in hosts if host.role == "manager"] or list(hosts[:1])
        workers = sorted(
            (host for host in hosts if host not in managers), key=lambda host: host.classic_role == "store"
        )
        self.run_command(f"/swarm plan {managers[0].name}", "nothing was changed")
        self.run_command(f"/swarm migrate {managers[0].name} --manager", "is in the swarm")
        for host in managers[1:]:
            self.add_manager(host)
        for host in workers:
            self.run_command(f"/swarm migrate {host.name} --worker", "is in the swarm")
        self.check_nodes(hosts, managers)

    def expect_all_reachable(self, hosts: Sequence[LabHost]) -> None:
        """All hosts answer."""
        if "without an answer" in self.run_command("/swarm hosts", f"{len(hosts)} hosts").plain_text:
            raise StoryFailed("every host should answer")

    def play_fleet(self, hosts: Sequence[LabHost]) -> None:
        """All with one command: Alice starts it, Bob accepts the managers as they come."""
        self.expect_all_reachable(hosts)
        message = self.run_command("/swarm migrate all", "planned: start?")
        self.press(ALICE, message, "Start")
        self.accept_all(message.ts, MIGRATION_TIMEOUT * len(hosts))
        managers = [host for host in hosts if host.role == "manager"] or list(hosts[:1])
        self.check_nodes(hosts, managers)
        repeated = self.run_command("/swarm migrate all", "nothing to do")
        if repeated.buttons:
            raise StoryFailed("there should be nothing to decide")

    def accept_all(self, fleet: str, seconds: float) -> None:
        """Presses Accept under each manager that waits, until the fleet's message says that it is done."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for visible in self.workspace.visible_messages(ALICE, OPS):
                if not visible.thread_ts:
                    self._print_new_lines(visible)
                if "Accept" in visible.buttons:
                    self.press(BOB, visible, "Accept")
                    self.wait_until(visible.ts, "is a manager now")
            message = next(visible for visible in self.workspace.visible_messages(ALICE, OPS) if visible.ts == fleet)
            if re.search("^(✅|❌|🚫|❓)", message.text):
                if not message.text.startswith("✅"):
                    raise StoryFailed("the fleet's message should say that it is done")
                return
            time.sleep(0.3)
        raise StoryFailed("the fleet should be moved by now")

    def add_manager(self, host: LabHost) -> None:
        """Joined on Alice's word, accepted by Bob's button."""
        message = self.run_command(f"/swarm migrate {host.name} --manager", "is waiting to be accepted as a manager.")
        if not {"Accept", "Reject"} <= set(message.buttons):
            raise StoryFailed("there should be buttons under the last message")
        self.press(BOB, message, "Accept")
        accepted_message = self.wait_until(message.ts, "is a manager now")
        if accepted_message.buttons or "Accepted by <@U02BOB>" not in accepted_message.plain_text:
            raise StoryFailed("the buttons should be gone, and who decided be named")

    def check_nodes(self, hosts: Sequence[LabHost], managers: Sequence[LabHost]) -> None:
        """The node table, as the story says it ends."""
        table = self.run_command("/swarm nodes", f"{len(hosts)} nodes").plain_text
        for host in hosts:
            row = next((line for line in table.splitlines() if f"  {host.name}  " in line), "")
            status_pattern = r"(Leader|Reachable)" if host in managers else r""
            if not re.search(rf"Accepted  Ready  Active  {status_pattern}\s+26\.1", row):
                raise StoryFailed(f"{host.name} should be a Ready {'manager' if host in managers else 'worker'}")

    def run_command(self, text: str, expected: str) -> VisibleMessage:
        """What Alice types, and the message it becomes once it says `until`."""
        self.say(f"\nalice: {text}")
        before = max((message.ts for message in self.workspace.visible_messages(ALICE, OPS)), default="")
        ack = self.workspace.say(ALICE, OPS, text)
        if not ack["acked"]:
            raise StoryFailed(f"{text} was not acknowledged")
        message = self.workspace.wait_for_message(
            ALICE, OPS, lambda visible: not visible.thread_ts and visible.ts > before, 20
        )
        self._last_ts = message.ts
        return self.wait_until(message.ts, expected, otherwise="^(❌|🚫|❓|✋)")

    def press(self, user: str, message: VisibleMessage, button: str) -> None:
        self.say(f"\n{terminal.USER_NAMES[user]} presses {button}")
        self.workspace.press(user, message, button)
        self._last_ts = message.ts

    def wait_until(self, ts: str, expected: str, otherwise: str = "^(❌|🚫|❓)") -> VisibleMessage:
        """`otherwise`: how a message begins that will not come to say it by itself."""
        deadline = time.monotonic() + MIGRATION_TIMEOUT
        while time.monotonic() < deadline:
            message = next(visible for visible in self.workspace.visible_messages(ALICE, OPS) if visible.ts == ts)
            self._print_new_lines(message)
            if expected in message.plain_text:
                return message
            if re.search(otherwise, message.text):
                break
            time.sleep(0.2)
        raise StoryFailed(f"the last message should say {expected!r}")

    def _print_new_lines(self, message: VisibleMessage) -> None:
        """Lines that are new since the last look, as the channel would show them; a column that moved is not new."""
        lines_by_words = {" ".join(line.split()): line for line in terminal.render_lines(message)}
        new_lines = [
            line for words, line in lines_by_words.items() if words not in self._printed_lines.get(message.ts, ())
        ]
        self._printed_lines[message.ts] = frozenset(lines_by_words)
        if new_lines and message.ts != self._last_ts:
            self.say("")
        for line in new_lines:
            self.say("  " + line)
            self._last_ts = message.ts
