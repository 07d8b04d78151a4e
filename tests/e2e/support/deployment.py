"""A new Imker with a fake Slack and the hosts of the lab, and helpers of tests for both."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from imker.protocol.events import EventBody, StepStarted
from imker.signing import SigningKey
from lab.fleet import fleet, machine
from lab.processes import Processes, imker_environment, run_imker
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from lab.story import ALICE, BOB, OPS
from tests.support import streams

WAIT_TIMEOUT = 300  # seconds that a test waits for one event
FINAL_EMOJI = "✅⚠❌🚫❓"


@dataclass
class Deployment:
    """A running Imker."""

    workspace: Workspace
    processes: Processes
    log: Path
    redis: Redis

    def send_command(self, text: str) -> VisibleMessage:
        """Send a command as Alice and return its message."""
        before = max((message.ts for message in self.workspace.visible_messages(ALICE, OPS)), default="")
        assert self.workspace.say(ALICE, OPS, text)["acked"]
        return self.workspace.wait_for_message(
            ALICE, OPS, lambda visible: not visible.thread_ts and visible.ts > before, 60
        )

    def current_message(self, message: VisibleMessage) -> VisibleMessage:
        return next(visible for visible in self.workspace.visible_messages(ALICE, OPS) if visible.ts == message.ts)

    def wait_until(self, message: VisibleMessage, true: Callable[[VisibleMessage], bool]) -> VisibleMessage:
        deadline = time.monotonic() + WAIT_TIMEOUT
        while not true(current := self.current_message(message)):
            assert time.monotonic() < deadline, f"{current.plain_text}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.1)
        return current

    def wait_for_text(self, message: VisibleMessage, words: str) -> VisibleMessage:
        return self.wait_until(message, lambda visible: words in visible.plain_text or words in visible.text)

    def wait_until_finished(self, message: VisibleMessage) -> VisibleMessage:
        return self.wait_until(message, lambda visible: visible.text[:1] in FINAL_EMOJI)

    def thread_text(self, message: VisibleMessage) -> str:
        return "\n".join(
            visible.plain_text
            for visible in self.workspace.visible_messages(ALICE, OPS)
            if visible.thread_ts == message.ts
        )

    def press_button(self, user: str, message: VisibleMessage, button: str) -> None:
        self.workspace.press(user, self.current_message(message), button)

    def accept_node(self, message: VisibleMessage) -> VisibleMessage:
        waiting = self.wait_until(message, lambda visible: "Accept" in visible.buttons)
        self.press_button(BOB, waiting, "Accept")
        return self.wait_for_text(message, "is a manager now")

    def wait_for_step(self, message: VisibleMessage, step: str) -> None:
        """Wait until a step of the message's run has started.

        Reads events: the channel shows short steps too late.
        """
        wait_until(lambda: any(body == StepStarted(step) for body in self.event_bodies(self.run_id_of(message))))

    def run_id_of(self, message: VisibleMessage) -> str:
        return message.plain_text.split("run `")[1].split("`")[0]

    def event_bodies(self, run: str) -> list[EventBody]:
        key_text = self.processes.environment.get("IMKER_SIGNING_KEY")
        return streams.event_bodies(
            self.redis, run, SigningKey(key_text) if key_text else streams.embedded_signing_key(self.redis)
        )

    def kill_rq_workers(self) -> None:
        """Kill the `changes` process and its descendants, like a power failure, and start a new one."""
        crew = self.processes.by_name.pop("changes")
        for pid in [crew.pid, *descendant_pids(crew.pid)]:
            os.kill(pid, signal.SIGKILL)
        crew.wait()
        self.processes.start("changes")


@contextmanager
def start_deployment() -> Iterator[Deployment]:
    """Run Imker until the block ends, then check its log for tracebacks and join tokens."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-s-")))
        slack = stack.enter_context(run_fake_slack())
        settings = imker_environment(slack.url, fleet.CLIENT_DIR.resolve() / "imker.toml", folder / "redis")
        processes = stack.enter_context(run_imker(settings, folder / "log"))
        deadline = time.monotonic() + 60
        while not slack.connection_count():
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        yield Deployment(slack, processes, folder / "log", redis)
        assert "Traceback" not in (folder / "log").read_text()
        assert "SWMTKN" not in (folder / "log").read_text()


def run_on(host: str, *argv: str, stdin: str = "") -> str:
    """Run a command on a host as root and return its output. Fails if the command fails."""
    result = machine.run_on_host(host, *argv, stdin=stdin)
    assert result.returncode == 0, f"{argv}: {result.stderr}"
    return result.stdout


def is_upgrading(host: str) -> bool:
    """Return whether apt is running. The unit remains after it has finished, until its result is read."""
    return run_on(host, "systemctl", "show", "-p", "SubState", "--value", "imker-upgrade.service").strip() == "running"


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_TIMEOUT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def descendant_pids(pid: int) -> list[int]:
    """Return the PIDs of all descendants of a process, the deepest last."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return [matches for child in children for matches in (child, *descendant_pids(child))]
