"""Simulated users who work while faults happen: they send commands, wait for replies, press buttons, and try again.

In: what the channel shows. Out: what they sent and pressed, and the outcome of each run. They know nothing of the
faults.
"""

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import httpx

from lab.chaos.planned_commands import (
    PlannedCommand,
    choose_node_commands,
    choose_other_commands,
    drain_and_activate,
)
from lab.fleet.hosts import LabHost
from lab.slack.client import VisibleMessage, Workspace
from lab.story import ALICE, BOB, OPS

ACKED_TIMEOUT = 60.0  # seconds until users give up on an acknowledged command
UNACKED_TIMEOUT = 6.0  # seconds until users give up on an unacknowledged command
OTHERS = 8  # commands on services, the watch, and the whole swarm in a generation
IDLE_SECONDS = 3.0  # seconds without a command until users list the nodes
OTHER_SHARE = 0.4  # of Alice's commands, as long as there are others to type
HOST_VERBS = "migrate|drain|activate|promote|demote|remove|upgrade"
JOINED = re.compile("the swarm|is a manager now")  # in the message of a migration that is done
OUTCOME_BY_EMOJI = {"✅": "done", "⚠": "done", "🚫": "refused", "❌": "failed", "❓": "lost"}
BUTTON_PRESSES = (
    ("Accept", BOB),
    ("Continue", ALICE),
    ("Resume", ALICE),
    ("Start", ALICE),
    ("Keep stopped", ALICE),
    ("Keep", ALICE),
)
Say = Callable[[str], None]
Outcome = Literal["", "done", "refused", "failed", "lost"]


@dataclass
class SentCommand:
    """A sent command.

    `acked` is whether Slack got an acknowledgement in time. `answer` is a private reply or a run ID.
    """

    text: str
    sent_at: float
    acked: bool
    answer: str = ""


@dataclass
class ObservedRun:
    """A run's message as last seen.

    `host`: of its command, "" for none. Times are monotonic; `ended_at` is 0 while the run is open.
    """

    run: str
    command: str
    host: str
    started_at: float
    text: str = ""
    outcome: Outcome = ""
    ended_at: float = 0.0


@dataclass
class SimulatedUsers:
    """Two users: Alice changes hosts and services, Bob accepts managers.

    `rng`: chooses what Alice types in addition to migrations; without it, she drains and activates each node.
    """

    workspace: Workspace
    remaining_hosts: list[LabHost] = field(default_factory=list)
    sent_commands: list[SentCommand] = field(default_factory=list)
    runs: dict[str, ObservedRun] = field(default_factory=dict)
    migrated_count: int = 0
    approved_at: dict[str, float] = field(default_factory=dict)  # node ID -> time of its first approval
    say: Say = print
    max_parallel_runs: int = 3  # open runs at the same time
    rng: random.Random | None = None
    operates: bool = False  # type commands on each migrated host, and others
    node_commands: list[PlannedCommand] = field(default_factory=list)  # to send
    other_commands: list[str] = field(default_factory=list)  # to send once
    _operated_hosts: set[str] = field(default_factory=set)
    _awaiting_answer: SentCommand | None = None
    _private_timestamps: set[str] = field(default_factory=set)

    def start_generation(self, hosts: Sequence[LabHost], *, operates: bool = False) -> None:
        self.remaining_hosts, self.migrated_count = list(hosts), 0
        self.operates, self.node_commands, self._operated_hosts = operates, [], set()
        self.other_commands = choose_other_commands(OTHERS, self.rng) if operates and self.rng else []

    @property
    def is_idle(self) -> bool:
        """Return whether no command is pending, no run is open, and no host and no other command is left."""
        has_work = self.remaining_hosts or self.node_commands or self.other_commands
        return not has_work and not self.open_runs() and self._awaiting_answer is None

    def open_runs(self) -> list[ObservedRun]:
        return [run for run in self.runs.values() if not run.outcome]

    def poll_channel(self) -> None:
        """Process new messages, press offered buttons, and send the next command if it is time."""
        messages = self.workspace.visible_messages(ALICE, OPS)
        for message in messages:
            if message.ephemeral:
                self._read_private_reply(message)
            elif not message.thread_ts and (run_match := re.search(r"run `(\w+)`", message.plain_text)):
                self._follow_run(run_match[1], message)
        self._give_up_waiting()
        if self._awaiting_answer is None and len(self.open_runs()) < self.max_parallel_runs:
            self._send_next_command()

    def send_command(self, text: str) -> None:
        sent = SentCommand(text, time.monotonic(), acked=False)
        self.sent_commands.append(sent)
        self._awaiting_answer = sent
        try:
            response = self.workspace.say(ALICE, OPS, text)
            sent.acked = bool(response["acked"])
            if response["payload"].get("text"):  # the acknowledgement can contain the reply
                sent.answer, self._awaiting_answer = response["payload"]["text"], None
        except httpx.HTTPError:
            sent.acked = False  # Slack closed the connection: the bot may have received it or not
        self.say(f"        {text}{'' if sent.acked else ': not acknowledged'}")

    def _send_next_command(self) -> None:
        """Migrate managers until the first is done, then any host, then change nodes. Type other commands in between.

        While nothing is ready, list the nodes from time to time.
        """
        busy = {run.host for run in self.open_runs()}
        ready_hosts = [
            host
            for host in self.remaining_hosts
            if host.name not in busy and (self.migrated_count or host.role == "manager")
        ]
        if self.migrated_count and self.other_commands and "" not in busy and self._chooses_other(ready_hosts):
            self.send_command(f"/swarm {self.other_commands.pop(0)}")
        elif ready_hosts:
            self.send_command(f"/swarm migrate {ready_hosts[0].name} --{ready_hosts[0].role}")
        elif next_command := next((each for each in self.node_commands[:1] if each.host.name not in busy), None):
            self.send_command(f"/swarm {next_command.text}")
        elif (
            self.remaining_hosts and "" not in busy and time.monotonic() - self.sent_commands[-1].sent_at > IDLE_SECONDS
        ):
            self.send_command("/swarm nodes")

    def _chooses_other(self, ready_hosts: Sequence[LabHost]) -> bool:
        """Return whether Alice types another command now: at random, or if there is nothing else."""
        return self.rng is not None and (not (ready_hosts or self.node_commands) or self.rng.random() < OTHER_SHARE)

    def _follow_run(self, run: str, message: VisibleMessage) -> None:
        if run not in self.runs:
            command_match = re.search(r"`/swarm ([^`]+)`", message.plain_text)
            command = command_match[1] if command_match else ""
            host_match = re.match(f"(?:{HOST_VERBS}) (\\w+)", command)
            self.runs[run] = ObservedRun(run, command, host_match[1] if host_match else "", time.monotonic())
            self._match_answer(run, command)
        observed = self.runs[run]
        observed.text = message.plain_text
        outcome = OUTCOME_BY_EMOJI.get(message.text[:1], "")
        if outcome and not observed.outcome:
            observed.ended_at = time.monotonic()
            seconds = observed.ended_at - observed.started_at
            self.say(f"        run {run} {observed.command}: {outcome}, {seconds:.1f} s")
            self._finish_run(observed, outcome == "done")
        observed.outcome = outcome  # type: ignore[assignment]
        if not outcome and message.buttons:
            self._press_buttons(message)

    def _match_answer(self, run: str, command: str) -> None:
        """Assign a run to the pending command, or to an unacknowledged one that the bot received."""
        if self._awaiting_answer and self._awaiting_answer.text == f"/swarm {command}":
            self._awaiting_answer.answer = run
            self._awaiting_answer = None

    def _finish_run(self, run: ObservedRun, succeeded: bool) -> None:
        if self.node_commands and self.node_commands[0].text == run.command:
            self._finish_node_command(self.node_commands.pop(0), succeeded)
        elif run.command.startswith("migrate") and succeeded and JOINED.search(run.text):
            migrated = [host for host in self.remaining_hosts if host.name == run.host]
            self.remaining_hosts = [host for host in self.remaining_hosts if host.name != run.host]
            self.migrated_count += len(migrated)
            self.node_commands += [each for host in migrated for each in self._plan_node_commands(host)]

    def _finish_node_command(self, command: PlannedCommand, succeeded: bool) -> None:
        """Send a command again that did not succeed. Migrate a removed host again."""
        if not succeeded and command.tries != 1:
            self.node_commands.insert(0, replace(command, tries=max(0, command.tries - 1)))
        elif succeeded and command.text.startswith("remove"):
            self.remaining_hosts.append(command.host)

    def _plan_node_commands(self, host: LabHost) -> list[PlannedCommand]:
        """Return what to do with a migrated host, once in a generation."""
        if not self.operates or host.name in self._operated_hosts:
            return []
        self._operated_hosts.add(host.name)
        return choose_node_commands(host, self.rng) if self.rng else drain_and_activate(host)

    def _press_buttons(self, message: VisibleMessage) -> None:
        for label, user in BUTTON_PRESSES:
            if label in message.buttons:
                node = re.search(r"sees node `(\w+)`", message.plain_text)
                if label == "Accept" and node:
                    self.approved_at.setdefault(node[1], time.monotonic())
                try:
                    self.workspace.press(user, message, label)
                except httpx.HTTPError:
                    return  # someone else was faster, or the connection was closed: the next poll shows it

    def _read_private_reply(self, message: VisibleMessage) -> None:
        if message.ts in self._private_timestamps:
            return
        self._private_timestamps.add(message.ts)
        self.say(f"        in private: {' '.join(message.text.split())[:80]}")
        if self._awaiting_answer and "was already" not in message.text:
            self._awaiting_answer.answer = message.text
            self._awaiting_answer = None

    def _give_up_waiting(self) -> None:
        if self._awaiting_answer is None:
            return
        sent = self._awaiting_answer
        if time.monotonic() - sent.sent_at > (ACKED_TIMEOUT if sent.acked else UNACKED_TIMEOUT):
            self._awaiting_answer = None
