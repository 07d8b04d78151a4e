"""The demo's story: users migrate the lab's hosts through the channel.

Raises StoryFailed when the channel shows something else. Alice may change hosts, Bob may accept managers. No one
accepts their own requests.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab import terminal
from lab.fleet.hosts import LabHost
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.plain_text import view_text
from lab.slack.views import inputs

ALICE, BOB, OPS = "U01ALICE", "U02BOB", "C01OPS"
MIGRATION_TIMEOUT = 180  # seconds for one migration
FORM_TIMEOUT = 30  # seconds until a form or the Home tab shows what it should; Home changes every ten seconds
Say = Callable[[str], None]


class StoryFailed(Exception):
    """The channel does not show what the story expects. The text says what it should show."""


@dataclass
class Story:
    workspace: Workspace
    say: Say = print
    _printed_lines: dict[str, frozenset[str]] = field(default_factory=dict)
    _last_ts: str = ""  # ts of the message whose lines were printed last

    def play_migrations(self, hosts: Sequence[LabHost]) -> None:
        """Migrate the first manager, then the other managers, then the workers.

        The host of the key-value store comes last.
        """
        self.expect_all_reachable(hosts)
        managers = [host for host in hosts if host.role == "manager"] or list(hosts[:1])
        workers = sorted(
            (host for host in hosts if host not in managers), key=lambda host: host.classic_role == "store"
        )
        self.plan_by_form(managers[0].name)
        self.run_command(f"/swarm migrate {managers[0].name} --manager", "joined the swarm")
        for host in managers[1:]:
            self.add_manager(host)
        for host in workers:
            self.run_command(f"/swarm migrate {host.name} --worker", "joined the swarm")
        self.check_nodes(hosts, managers)
        self.show_home(ALICE, "all Ready")

    def plan_by_form(self, host: str) -> None:
        """Plan a host with the form, in which Alice searches for it."""
        self.say("\nalice: /swarm")
        before = self.latest_ts()
        self.workspace.say(ALICE, OPS, "/swarm")
        form = self._search_form()
        if self.workspace.search(ALICE, form, "host", host) != [host]:
            raise StoryFailed(f"the form should find {host}")
        self.say(f"\nalice chooses “plan” and “{host}” in the form, and presses Run")
        self.workspace.fill_in(ALICE, form, command="plan", host=host)
        self.follow(before, "Nothing was changed.")

    def _search_form(self) -> dict[str, Any]:
        """Choose `plan` in Alice's form until it can search hosts: the bot reads new host names once a second."""
        deadline = time.monotonic() + FORM_TIMEOUT
        while time.monotonic() < deadline:
            self.workspace.choose(ALICE, self._modal(), "command", "plan")
            form = self._modal("host")
            if any(block["element"]["type"] == "external_select" for block in inputs(form)):
                return form
            time.sleep(0.5)
        raise StoryFailed("a form should search hosts")

    def _modal(self, block: str = "") -> dict[str, Any]:
        """Return the modal that Alice sees, once it has the block."""
        deadline = time.monotonic() + FORM_TIMEOUT
        while time.monotonic() < deadline:
            view = self.workspace.modal(ALICE)
            if view and block in ("", *(each.get("block_id") for each in view["blocks"])):
                return view
            time.sleep(0.1)
        raise StoryFailed("a form should be open")

    def show_home(self, user: str, expected: str) -> None:
        """Open a user's Home tab and print it, without what they may do."""
        self.workspace.open_home(user)
        deadline = time.monotonic() + FORM_TIMEOUT
        while time.monotonic() < deadline:
            view = self.workspace.home(user)
            if view and expected in view_text(view):
                break
            time.sleep(0.2)
        else:
            raise StoryFailed(f"the Home tab should say {expected!r}")
        self.say(f"\n{terminal.USER_NAMES[user]} opens Home")
        for line in terminal.render_lines(VisibleMessage({"blocks": view["blocks"]})):
            if line == "What you may do":
                break
            self.say("  " + line)

    def expect_all_reachable(self, hosts: Sequence[LabHost]) -> None:
        """Fail unless every host is reachable."""
        if "unreachable" in self.run_command("/swarm hosts", _count(hosts, "host")).plain_text:
            raise StoryFailed("every host should be reachable")

    def play_fleet(self, hosts: Sequence[LabHost]) -> None:
        """Migrate all hosts with one command: Alice starts it, Bob accepts each manager."""
        self.expect_all_reachable(hosts)
        message = self.run_command("/swarm migrate all", "planned: start?")
        self.press(ALICE, message, "Start")
        self.accept_all(message.ts, MIGRATION_TIMEOUT * len(hosts))
        managers = [host for host in hosts if host.role == "manager"] or list(hosts[:1])
        self.check_nodes(hosts, managers)
        repeated = self.run_command("/swarm migrate all", "nothing to do")
        if repeated.buttons != ["Show nodes"]:
            raise StoryFailed("there should be a button that shows the nodes")

    def accept_all(self, fleet: str, seconds: float) -> None:
        """Press Accept once for each pending manager, until the fleet's message says that the migration is done."""
        deadline, pressed = time.monotonic() + seconds, set[str]()
        while time.monotonic() < deadline:
            for visible in self.workspace.visible_messages(ALICE, OPS):
                if not visible.thread_ts:
                    self._print_new_lines(visible)
                if "Accept" in visible.buttons and visible.ts not in pressed:
                    self.show_alert("waiting to be accepted as a manager.")
                    self.press(BOB, visible, "Accept")
                    pressed.add(visible.ts)
                elif "Nothing was done." in visible.plain_text:
                    raise StoryFailed("one Accept for each manager should be enough")
            message = next(visible for visible in self.workspace.visible_messages(ALICE, OPS) if visible.ts == fleet)
            if re.search("^(✅|❌|🚫|❓)", message.text):
                if not message.text.startswith("✅"):
                    raise StoryFailed("the fleet's message should say that it is done")
                for ts in pressed:
                    self.wait_until(ts, "is a manager now")
                return
            time.sleep(0.3)
        raise StoryFailed("the fleet migration should have finished by now")

    def add_manager(self, host: LabHost) -> None:
        """Migrate a host at Alice's request and accept it as Bob."""
        message = self.run_command(f"/swarm migrate {host.name} --manager", "is waiting to be accepted as a manager.")
        if not {"Accept", "Reject"} <= set(message.buttons):
            raise StoryFailed("there should be buttons under the last message")
        self.show_alert(f"`{host.name}` is waiting to be accepted as a manager.")
        self.show_home(BOB, f"*`{host.name}` is waiting to be accepted as a manager.*")
        self.press(BOB, message, "Accept")
        accepted_message = self.wait_until(message.ts, "is a manager now")
        if "Accept" in accepted_message.buttons or "Accepted by <@U02BOB>" not in accepted_message.plain_text:
            raise StoryFailed("the question's buttons should be gone, and the message should name who accepted")

    def check_nodes(self, hosts: Sequence[LabHost], managers: Sequence[LabHost]) -> None:
        """Fail unless the node table shows every host with its expected role."""
        table = self.run_command("/swarm nodes", _count(hosts, "node")).plain_text
        for host in hosts:
            row = next((line for line in table.splitlines() if f"  {host.name}  " in line), "")
            status_pattern = r"(Leader|Reachable)" if host in managers else r""
            if not re.search(rf"Accepted  Ready  Active  {status_pattern}\s+26\.1", row):
                raise StoryFailed(f"{host.name} should be a Ready {'manager' if host in managers else 'worker'}")

    def run_command(self, text: str, expected: str) -> VisibleMessage:
        """Send a command as Alice and return its message once it contains `expected`."""
        self.say(f"\nalice: {text}")
        before = self.latest_ts()
        ack = self.workspace.say(ALICE, OPS, text)
        if not ack["acked"]:
            raise StoryFailed(f"{text} was not acknowledged")
        return self.follow(before, expected)

    def follow(self, before: str, expected: str) -> VisibleMessage:
        """Return the first message after this ts once it contains `expected`."""
        message = self.workspace.wait_for_message(
            ALICE, OPS, lambda visible: not visible.thread_ts and visible.ts > before, 20
        )
        self._last_ts = message.ts
        return self.wait_until(message.ts, expected, otherwise="^(❌|🚫|❓|✋)")

    def latest_ts(self) -> str:
        return max((message.ts for message in self.workspace.visible_messages(ALICE, OPS)), default="")

    def show_alert(self, expected: str) -> None:
        """Print the alert that asks Bob to accept a manager. Fail if Bob is not notified of it."""
        alert = self.workspace.wait_for_message(
            BOB, OPS, lambda visible: bool(visible.thread_ts) and expected in visible.plain_text, 20
        )
        if alert.ts not in [notification["ts"] for notification in self.workspace.notifications(BOB)]:
            raise StoryFailed("Bob should be notified of the question")
        if alert.ts not in self._printed_lines:
            self.say("\nbob is notified:")
            self._last_ts = alert.ts
        self._print_new_lines(alert)

    def press(self, user: str, message: VisibleMessage, button: str) -> None:
        """Press a button of a message as a user."""
        self.say(f"\n{terminal.USER_NAMES[user]} presses {button}")
        self.workspace.press(user, message, button)
        self._last_ts = message.ts

    def wait_until(
        self, ts: str, expected: str, otherwise: str = "^(❌|🚫|❓)", seconds: float = MIGRATION_TIMEOUT
    ) -> VisibleMessage:
        """Return the message once it contains `expected`.

        `otherwise` is a pattern of final messages: one of these will not change any more.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = next(visible for visible in self.workspace.visible_messages(ALICE, OPS) if visible.ts == ts)
            self._print_new_lines(message)
            if expected in message.plain_text:
                return message
            if re.search(otherwise, message.text):
                break
            time.sleep(0.2)
        raise StoryFailed(f"the last message should say {expected!r}")

    def show(self, message: VisibleMessage) -> None:
        """Print a message that stands under what was printed last."""
        self._last_ts = message.ts
        self._print_new_lines(message)

    def _print_new_lines(self, message: VisibleMessage) -> None:
        """Print the lines that are new since the last call. A line whose columns only moved is not new."""
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


def _count(hosts: Sequence[LabHost], noun: str) -> str:
    return f"{len(hosts)} {noun}{'' if len(hosts) == 1 else 's'}"
