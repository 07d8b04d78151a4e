"""Migrate hosts with Imker, as people in the channel do."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.world import wait_until_ready
from lab.fleet.hosts import LabHost
from lab.processes import Processes, imker_environment, run_imker
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from lab.story import ALICE, BOB, OPS

TIMEOUT = 300  # seconds
CLICK_INTERVAL, LOOK_INTERVAL = 0.1, 0.02  # seconds between two looks at the channel, for a click and for a figure
FINAL_MARKS = "✅⚠❌🚫❓"


class UnexpectedMessage(Exception):
    """A run ended or asked otherwise than planned. The text has its message."""


@contextmanager
def running(config: Path) -> Iterator[tuple[Workspace, Processes]]:
    """Run a new Imker, with an empty Redis, and a fake Slack. A first command has warmed it up."""
    with tempfile.TemporaryDirectory(prefix="imker-b-") as folder, run_fake_slack() as workspace:
        settings = imker_environment(workspace.url, config, Path(folder) / "redis")
        with run_imker(settings, Path(folder) / "log") as processes:
            deadline = time.monotonic() + TIMEOUT
            while not workspace.connection_count() and time.monotonic() < deadline:
                time.sleep(CLICK_INTERVAL)
            seconds_of(workspace, "/swarm nodes")
            yield workspace, processes


def seconds_of(workspace: Workspace, command: str, button: str = "") -> float:
    """Type a command and return the seconds until its message is final or, with `button`, has this button."""
    before = _latest_ts(workspace)
    began = time.monotonic()
    workspace.say(ALICE, OPS, command)
    while time.monotonic() - began < TIMEOUT:
        for seen in _messages_after(workspace, before):
            if button in seen.buttons if button else seen.text[:1] in FINAL_MARKS:
                return time.monotonic() - began
        time.sleep(LOOK_INTERVAL)
    raise TimeoutError(f"{command} was not answered within {TIMEOUT} s")


def migrate_one(workspace: Workspace, host: LabHost) -> None:
    """Migrate the first manager, and wait until it is ready."""
    _say(workspace, f"/swarm migrate {host.name} --manager")
    wait_until_ready([host])


def migrate_one_with_warnings(workspace: Workspace, host: LabHost) -> None:
    """Migrate the first manager although Imker warns, and wait until it is ready."""
    message = _say(workspace, f"/swarm migrate {host.name} --manager")
    seen = wait_for(workspace, message, lambda seen: "Continue" in seen.buttons or seen.text[:1] in FINAL_MARKS)
    if "Continue" not in seen.buttons:
        raise UnexpectedMessage(f"there should be a button Continue:\n{seen.plain_text}")
    workspace.press(ALICE, seen, "Continue")
    wait_until_ready([host])


def plan_fleet(workspace: Workspace) -> VisibleMessage:
    """Plan the whole fleet and return its message, which has the button Start."""
    message = _say(workspace, "/swarm migrate all")
    return wait_for(workspace, message, lambda seen: "Start" in seen.buttons)


def start_fleet(workspace: Workspace, message: VisibleMessage, hosts: Sequence[LabHost]) -> None:
    """Press Start, accept each manager as soon as it waits, and wait until all hosts are ready."""
    workspace.press(ALICE, message, "Start")
    waiting = sum(host.role == "manager" for host in hosts) - 1  # the first manager initializes the swarm
    accepted: set[str] = set()
    deadline = time.monotonic() + TIMEOUT
    while len(accepted) < waiting:
        visible = accept_new_managers(workspace, accepted)
        fleet = next(seen for seen in visible if seen.ts == message.ts)
        question = next((seen for seen in visible if "Continue" in seen.buttons), None)
        if question or fleet.text[:1] in "❌🚫❓" or time.monotonic() > deadline:
            raise UnexpectedMessage(f"the fleet was not migrated:\n{(question or fleet).plain_text}")
        time.sleep(CLICK_INTERVAL)
    wait_until_ready(hosts)


def accept_new_managers(workspace: Workspace, accepted: set[str]) -> list[VisibleMessage]:
    """Accept each manager that waits, once, and return all messages. `accepted`: the ts of those before; it grows."""
    visible = workspace.visible_messages(BOB, OPS)
    for seen in visible:
        if "Accept" in seen.buttons and seen.ts not in accepted:
            workspace.press(BOB, seen, "Accept")
            accepted.add(seen.ts)
    return visible


def _say(workspace: Workspace, command: str) -> VisibleMessage:
    before = _latest_ts(workspace)
    workspace.say(ALICE, OPS, command)
    return workspace.wait_for_message(ALICE, OPS, lambda seen: not seen.thread_ts and seen.ts > before, 60)


def _latest_ts(workspace: Workspace) -> str:
    return max((message.ts for message in workspace.visible_messages(ALICE, OPS)), default="")


def _messages_after(workspace: Workspace, ts: str) -> list[VisibleMessage]:
    """Return the messages after this one, without replies in threads."""
    return [seen for seen in workspace.visible_messages(ALICE, OPS) if seen.ts > ts and not seen.thread_ts]


def wait_for(workspace: Workspace, message: VisibleMessage, ready: Callable[[VisibleMessage], bool]) -> VisibleMessage:
    """Return the current state of a message once `ready` accepts it. Raises TimeoutError."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        seen = next(shown for shown in workspace.visible_messages(ALICE, OPS) if shown.ts == message.ts)
        if ready(seen):
            return seen
        time.sleep(LOOK_INTERVAL)
    raise TimeoutError(f"the message did not change as expected:\n{seen.plain_text}")
