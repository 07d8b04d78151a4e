"""Take pictures of the channel in ten states, on a desktop and on a phone, with simulated hosts.

In: a folder. Out: NAME-WIDTH.png for each state. Raises LabError, StoryFailed, TimeoutError, or BrowserError if a state
is not reached or does not show.
"""

import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.browser import Page, find_browser, open_page
from lab.demo import wait_for_bot
from lab.fleet.shell import LabError
from lab.processes import imker_environment, run_imker
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet, run_fleet, select_hosts
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from lab.story import ALICE, BOB, OPS

STATES = (
    *("plan", "running", "waiting", "accepted", "failed"),
    *("fleet-plan", "fleet-running", "nodes", "doctor", "form"),
)
WIDTHS = {1200: 1, 390: 1.5}  # CSS pixels -> pixels of the picture per CSS pixel
MIN_HEIGHT, MAX_HEIGHT = 360, 2000  # CSS pixels
STATE_TIMEOUT = 240  # seconds until a state is reached
SLOW_UPGRADE = Pace(upgrade=12.0)  # long enough for a picture while a step runs
SHOW_AFTER = """(async (after) => {  // hide the other messages; return the height that shows all of the rest
  document.activeElement?.blur();
  const main = document.querySelector('main'), dialog = document.querySelector('dialog[open]');
  for (const one of main.children) one.hidden = Number(one.dataset.ts) <= after;
  main.scrollTop = 0;
  return Math.max(document.body.scrollHeight + main.scrollHeight - main.clientHeight, (dialog?.scrollHeight || 0) + 80);
})"""
DIALOG = "document.querySelector('dialog[open]')"
FREEZE = "window.realFetch ??= window.fetch; window.fetch = () => new Promise(() => {}); true"
THAW = "window.fetch = window.realFetch; true"


def take_screenshots(folder: Path, say: Callable[[str], None] = print) -> list[Path]:
    """Play a story on eight simulated hosts and return the pictures of its states."""
    browser = find_browser()
    if browser is None:
        raise LabError("no Chromium here; install one: apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="imker-s-") as state, run_fake_slack() as workspace:
        client = Path(state) / "client"
        with run_fleet(select_hosts(()), client, SLOW_UPGRADE) as hosts:
            settings = imker_environment(workspace.url, client / "imker.toml", Path(state))
            with run_imker(settings, client / "imker.log") as processes:
                wait_for_bot(workspace, processes)
                with open_page(workspace.url, browser) as page:
                    pictures = Pictures(workspace, page, folder, say)
                    _play(pictures, hosts)
                    return pictures.files


def _play(pictures: "Pictures", hosts: Fleet) -> None:
    """Bring the channel into one state after the other and take a picture of each."""
    pictures.run("plan", "/swarm plan tondi", _is_done)
    first = pictures.run("running", "/swarm migrate connewitz --manager", _upgrades)
    hosts.world.pace = Pace()
    pictures.wait_for(first, _is_done)
    second = pictures.run("waiting", "/swarm migrate tondi --manager", _asks("Accept"), BOB)
    pictures.press(BOB, second, "Accept")
    pictures.wait_for(second, _is_done)
    pictures.take("accepted", pictures.last_ts(second.ts), BOB)
    hosts["pirita"].dockerd.failures_left = 1
    pictures.run(
        "failed", "/swarm migrate pirita --worker", lambda message: _has_ended(message) and not _is_done(message)
    )
    fleet = pictures.run("fleet-plan", "/swarm migrate all", _asks("Start"))
    pictures.press(ALICE, fleet, "Start")
    pictures.accept_until(fleet, _is_halfway)
    pictures.take("fleet-running", pictures.last_ts(fleet.ts))
    pictures.accept_until(fleet, _has_ended)
    pictures.run("nodes", "/swarm nodes", _is_done)
    pictures.run("doctor", "/swarm doctor", _has_ended)
    before = pictures.say_command("/swarm")
    pictures.choose("plan")
    pictures.take("form", before, wait_for=f"{DIALOG}?.innerText.includes('/swarm plan HOST')")


# --- states of a run's message --------------------------------------------------------------------------------------


def _has_ended(message: VisibleMessage) -> bool:
    return not re.match("⏳|🐝|✋|🔎|⏸", message.text)


def _is_done(message: VisibleMessage) -> bool:
    return message.text.startswith("✅")


def _upgrades(message: VisibleMessage) -> bool:
    return bool(re.match("🐝.*Upgrade", message.text))


def _asks(button: str) -> Callable[[VisibleMessage], bool]:
    return lambda message: button in message.buttons


def _is_halfway(message: VisibleMessage) -> bool:
    return len(re.findall(r"\bdone\b", message.plain_text)) >= 3 and "running" in message.plain_text


# --- pictures -------------------------------------------------------------------------------------------------------


@dataclass
class Pictures:
    workspace: Workspace
    page: Page
    folder: Path
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.files: list[Path] = []

    def run(
        self, name: str, command: str, reached: Callable[[VisibleMessage], bool], user: str = ALICE
    ) -> VisibleMessage:
        """Send a command as Alice and take a picture, as `user` sees it, once its message has reached the state."""
        sent_after = self.say_command(command)
        message = self.workspace.wait_for_message(
            ALICE, OPS, lambda visible: not visible.thread_ts and not visible.ephemeral, STATE_TIMEOUT, sent_after
        )
        reached_message = self.wait_for(message, reached)
        self.take(name, sent_after, user)
        return reached_message

    def say_command(self, command: str) -> str:
        """Send a command as Alice. Return the ts of the last message before it."""
        last_ts = self.last_ts()
        if not self.workspace.say(ALICE, OPS, command)["acked"]:
            raise LabError(f"{command} was not acknowledged")
        return last_ts

    def last_ts(self, before: str = "a") -> str:
        """Return the ts of Alice's last message, or of the last one before another."""
        timestamps = (message.ts for message in self.workspace.visible_messages(ALICE, OPS) if not message.thread_ts)
        return max((ts for ts in timestamps if ts < before), default="0")

    def press(self, user: str, message: VisibleMessage, button: str) -> None:
        self.workspace.press(user, self._current(message), button)

    def choose(self, command: str) -> None:
        """Choose a command in Alice's form, once it is open."""
        deadline = time.monotonic() + STATE_TIMEOUT
        while (form := self.workspace.modal(ALICE)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the form does not open")
            time.sleep(0.1)
        self.workspace.choose(ALICE, form, "command", command)

    def wait_for(self, message: VisibleMessage, reached: Callable[[VisibleMessage], bool]) -> VisibleMessage:
        """Return the message once it has reached a state."""
        return self.accept_until(message, reached, accepts=False)

    def accept_until(
        self, message: VisibleMessage, reached: Callable[[VisibleMessage], bool], accepts: bool = True
    ) -> VisibleMessage:
        """Return the message once it has reached a state. Meanwhile Bob accepts managers."""
        deadline = time.monotonic() + STATE_TIMEOUT
        while not reached(current := self._current(message)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the message does not reach the expected state: {current.plain_text}")
            for visible in self.workspace.visible_messages(BOB, OPS) if accepts else ():
                if "Accept" in visible.buttons:
                    with suppress(httpx.HTTPStatusError):  # the message was edited since, and its button is gone
                        self.workspace.press(BOB, visible, "Accept")
            time.sleep(0.2)
        return current

    def take(self, name: str, after: str, user: str = ALICE, wait_for: str = "") -> None:
        """Take pictures of the messages after a ts, as a user sees them. `wait_for`: what the page waits for, in JS."""
        time.sleep(1.5)  # an alert or a private part may follow the message
        self.page.js(THAW if self.page.js("'realFetch' in window") else "true")
        self.page.act_as(user)
        self.page.wait(wait_for or f"Number(document.querySelector('main').lastElementChild?.dataset.ts) > {after}")
        self.page.js(FREEZE)  # both widths show the same state
        for width, scale in WIDTHS.items():
            self.page.resize(width, MIN_HEIGHT, scale, mobile=width < 600)
            height = min(MAX_HEIGHT, max(MIN_HEIGHT, int(self.page.js(f"{SHOW_AFTER}({after})"))))
            self.page.resize(width, height, scale, mobile=width < 600)
            path = self.folder / f"{name}-{width}.png"
            path.write_bytes(self.page.picture())
            self.files.append(path)
            self.say(f"{path}  {path.stat().st_size // 1024} KB")

    def _current(self, message: VisibleMessage) -> VisibleMessage:
        return next(visible for visible in self.workspace.visible_messages(ALICE, OPS) if visible.ts == message.ts)
