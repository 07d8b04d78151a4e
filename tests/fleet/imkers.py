"""A new Imker in a new Slack over the lab's hosts, and what tests of real hosts ask of both."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from imker.signing import Key
from jobs.contract import Body, StepStarted
from lab.fleet import fleet, machine
from lab.imker import Processes, environment, imker
from lab.slack.client import Seen, Workspace
from lab.slack.running import running
from lab.story import ALICE, BOB, OPS
from tests import streams

LONGEST = 300  # seconds that a test waits for one thing
OVER = "✅❌🚫❓"


@dataclass
class Imker:
    workspace: Workspace
    processes: Processes
    log: Path
    redis: Redis

    def asks(self, text: str) -> Seen:
        """What Alice types, and the message it becomes."""
        before = max((message.ts for message in self.workspace.sees(ALICE, OPS)), default="")
        assert self.workspace.say(ALICE, OPS, text)["acked"]
        return self.workspace.wait(ALICE, OPS, lambda seen: not seen.thread and seen.ts > before, 60)

    def sees(self, message: Seen) -> Seen:
        return next(seen for seen in self.workspace.sees(ALICE, OPS) if seen.ts == message.ts)

    def until(self, message: Seen, true: Callable[[Seen], bool]) -> Seen:
        deadline = time.monotonic() + LONGEST
        while not true(seen := self.sees(message)):
            assert time.monotonic() < deadline, f"{seen.plain}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.1)
        return seen

    def says(self, message: Seen, words: str) -> Seen:
        return self.until(message, lambda seen: words in seen.plain or words in seen.text)

    def over(self, message: Seen) -> Seen:
        return self.until(message, lambda seen: seen.text[:1] in OVER)

    def thread(self, message: Seen) -> str:
        return "\n".join(seen.plain for seen in self.workspace.sees(ALICE, OPS) if seen.thread == message.ts)

    def presses(self, user: str, message: Seen, button: str) -> None:
        self.workspace.press(user, self.sees(message), button)

    def accepts(self, message: Seen) -> Seen:
        waiting = self.until(message, lambda seen: "Accept" in seen.buttons)
        self.presses(BOB, waiting, "Accept")
        return self.says(message, "is a manager now")

    def begins(self, message: Seen, step: str) -> None:
        """Waits for a step of the message's run to begin: the channel shows some too late, they are short."""
        wait_for(lambda: any(body == StepStarted(step) for body in self.told(self.run_of(message))))

    def run_of(self, message: Seen) -> str:
        return message.plain.split("run `")[1].split("`")[0]

    def told(self, run: str) -> list[Body]:
        given = self.processes.environment.get("IMKER_SIGNING_KEY")
        return streams.told(self.redis, run, Key(given) if given else streams.kept_key(self.redis))

    def kill_rq_workers(self) -> None:
        """The `changes` process with all below it, at once, as a machine that loses power would; then a new one."""
        crew = self.processes.running.pop("changes")
        for pid in [crew.pid, *below(crew.pid)]:
            os.kill(pid, signal.SIGKILL)
        crew.wait()
        self.processes.start("changes")


@contextmanager
def new_imker() -> Iterator[Imker]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-s-")))
        slack = stack.enter_context(running())
        settings = environment(slack.url, fleet.CLIENT.resolve() / "imker.toml", folder / "redis")
        processes = stack.enter_context(imker(settings, folder / "log"))
        deadline = time.monotonic() + 60
        while not slack.sockets():
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        yield Imker(slack, processes, folder / "log", redis)
        assert "Traceback" not in (folder / "log").read_text()
        assert "SWMTKN" not in (folder / "log").read_text()


def on(host: str, *argv: str, stdin: str = "") -> str:
    """What root sees on a host; the command has to succeed."""
    done = machine.enter(host, *argv, stdin=stdin)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def upgrading(host: str) -> bool:
    """Whether apt is at it: the unit stays when it has ended, until somebody has looked."""
    return on(host, "systemctl", "show", "-p", "SubState", "--value", "imker-upgrade.service").strip() == "running"


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def below(pid: int) -> list[int]:
    """All processes below one, the deepest last."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (child, *below(child))]
