"""Provide a scripted shell and Engine, and format failures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from redis import Redis

from bot.messages.next_command import next_step_text
from imker.protocol import commands
from imker.protocol.commands import Request
from jobs.connectors.shell import Command, Output
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.events.writer import EventWriter
from jobs.inventory.model import Host
from jobs.settings import Settings
from tests.support import streams
from tests.support.sections import empty_host, format_answer

KADITZ = Host("kaditz", "198.18.0.39", "geschke", ssh_key=Path("/k/id_rsa"), tls=Path("/c"))
TONDI = Host("tondi", "198.18.0.73")
AT, NODE = 1_795_440_000.0, "j8xsy2yb802b5ys0uvwhsouw1"
Act = Callable[..., Any]


def failure_lines(title: str, failed: JobError) -> Iterator[str]:
    yield f"  {title}" + (f"  (check: {failed.check})" if failed.check else "")
    parts = {
        "summary": failed.summary,
        "state": failed.state,
        "hint": f"{failed.hint} {next_step_text('', failed.next_commands)}".strip(),
        "by": failed.user,
    }
    yield from (f"    {name + ':':9}{text}" for name, text in parts.items() if text)


def error_text(title: str, act: Act) -> Iterator[str]:
    """Yield the error that `act` raises, or what it returns."""
    try:
        yield f"  {title}: {act()}"
    except JobError as failed:
        yield from failure_lines(title, failed)


class ScriptedShell:
    """A shell that answers each program with an exit code and a text; with 0 and "" by default.

    An answer is found by the start of the command, or by a comment in a script.
    """

    host = "kaditz"

    def __init__(self, answers: dict[str, tuple[int, str]]) -> None:
        self._answers = answers

    def run(self, command: Command) -> Output:
        line = " ".join(command.argv)
        default = format_answer(empty_host()).decode() if line.endswith("print_sections\n imker") else ""
        matches = (
            answer
            for key, answer in self._answers.items()
            if line.startswith(key) or (key.startswith("# ") and key in line)
        )
        code, text = next(matches, (0, default))
        return Output(code, "" if code else text, text if code else "").check(self.host, command)

    def reconnect(self) -> None:
        pass


class ScriptedEngine:
    """An Engine of one version, and a swarm without the host's node."""

    version = {"Version": "20.10.24"}  # noqa: RUF012

    def __init__(self, host: Host) -> None:
        self.host = host

    def info(self) -> dict[str, Any]:
        return {"Swarm": {"LocalNodeState": "pending", "NodeID": NODE}}

    def nodes(self) -> list[dict[str, Any]]:
        return []

    def join(self, *_: object) -> None:
        pass

    def worker_token(self) -> str:
        return "(secret)"


def connect_to(host: Host, timeout: float = 10) -> Any:
    return ScriptedEngine(host)


def fail(failed: JobError) -> Any:
    raise failed


def office(redis: Redis, command: commands.Command, within: tuple[str, ...] = ("*",)) -> JobContext:
    request = Request("k3fm9x2q", 1, command, "U01ALICE", allowed_hosts=within)
    journal = EventWriter(redis, streams.KEY, request.run, 1, lambda: AT)
    return JobContext(
        request,
        Settings(),
        {"kaditz": KADITZ, "tondi": TONDI},
        journal,
        redis,
        lambda _: fail(JobError("no shell")),
        connect_to,
    )  # type: ignore[arg-type, return-value]
