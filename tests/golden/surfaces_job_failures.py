"""Format the outcomes of failed jobs."""

from typing import Any

from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError
from structlog.testing import capture_logs

from bot.messages.next_command import next_step_text
from imker.audit_log import AuditLogBroken
from imker.config import ConfigError
from imker.protocol.commands import Accept, Command, ListHosts, ListNodes, Migrate, Request, StartContainers
from imker.protocol.events import JobFinished, StepStarted
from imker.protocol.next_command import NextCommand
from jobs import admission, run
from jobs.errors import Cancelled, JobError, Superseded
from jobs.events.writer import EventWriter
from jobs.execute import rollback
from tests.golden.scripted_host import AT
from tests.golden.text_layout import page, section
from tests.support import streams


def ends(redis: Redis) -> str:
    """Return the outcomes of failed jobs: of a read and a change, at once and after a step."""
    causes: dict[str, Exception] = {
        "any error": JobError("(why)"),
        "an error with a hint": JobError("(why)", hint="(its hint)"),
        "an error with a command": JobError("(why)", hint="(its hint)", next_commands=(NextCommand(ListHosts()),)),
        "an error of the configuration": ConfigError(["(line 1)", "(line 2)"]),
        "a broken audit log": AuditLogBroken("no"),
        "a full Redis": OutOfMemoryError("no"),
        "a Redis that refuses": ResponseError("ERR odd"),
        "anything else": RuntimeError("no"),
        "a later run": Superseded("kaditz", 8, "latr2222", AT),
        "a rollback": rollback.RolledBack("(why)", state="(the old state)"),
        "a cancelled run": Cancelled("U02BOB"),
        "a refused job": admission.JobRejected("(why)"),
    }
    commands: tuple[Command, ...] = (ListNodes(), Migrate("kaditz"))
    pages = [
        section(f"{title}: {command.type}", *_ended(redis, command, failed))
        for title, failed in causes.items()
        for command in commands
    ]
    stepped = section("any error: accept, after a step", *_ended(redis, Accept("abc"), JobError("(why)"), stepped=True))
    later = section(
        "any error: start, its second job",
        *_ended(redis, StartContainers("kaditz", ("web",)), JobError("(why)"), job=2),
    )
    return page(*pages, stepped, later)


def _ended(redis: Redis, command: Command, failed: Exception, *, job: int = 1, stepped: bool = False) -> list[str]:
    redis.flushall()
    request = Request("k3fm9x2q", job, command, "U01ALICE")
    journal = EventWriter(redis, streams.KEY, request.run, job, lambda: AT)

    def fails() -> Any:
        if stepped:
            journal.emit(StepStarted("PromoteNode"))
        raise failed

    with capture_logs():
        run.run_handler(request, journal, fails)
    last = streams.event_bodies(redis, request.run)[-1]
    assert isinstance(last, JobFinished)
    parts = {
        "outcome": last.outcome,
        "summary": last.summary,
        "state": last.state,
        "hint": next_step_text(last.hint, last.next_commands),
        "by": last.user,
    }
    return [f"  {name + ':':9}{text}" for name, text in parts.items() if text]
