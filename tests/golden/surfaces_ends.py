"""How a job ends that failed. Text per surface."""

from typing import Any

from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError
from structlog.testing import capture_logs

from imker.audit import RecordBroken
from imker.config import ConfigError
from jobs import contract, gate, run
from jobs.contract import Accept, Ended, Migrate, Nodes, Request, StartContainers, StepStarted
from jobs.errors import Cancelled, JobError, Superseded
from jobs.execute import restart
from jobs.journal import Journal
from tests import streams
from tests.golden.page import page, section
from tests.golden.scripted import AT


def ends(redis: Redis) -> str:
    """How a job ends that failed: for a read and a change, at once and after a step."""
    causes: dict[str, Exception] = {
        "any error": JobError("(why)"),
        "an error with a hint": JobError("(why)", hint="(its hint)"),
        "an error with a command": JobError("(why)", hint="See /swarm hosts."),
        "an error of the configuration": ConfigError(["(line 1)", "(line 2)"]),
        "a broken audit log": RecordBroken("no"),
        "a full Redis": OutOfMemoryError("no"),
        "a Redis that refuses": ResponseError("ERR odd"),
        "anything else": RuntimeError("no"),
        "a later run": Superseded("kaditz", 8, "latr2222", AT),
        "a rollback": restart.Restored("(why)", state="(the old state)"),
        "a cancelled run": Cancelled("U02BOB"),
        "a refused job": gate.Refused("(why)"),
    }
    commands: tuple[contract.Command, ...] = (Nodes(), Migrate("kaditz"))
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


def _ended(
    redis: Redis, command: contract.Command, failed: Exception, *, job: int = 1, stepped: bool = False
) -> list[str]:
    redis.flushall()
    request = Request("k3fm9x2q", job, command, "U01ALICE")
    journal = Journal(redis, streams.KEY, request.run, job, lambda: AT)

    def fails() -> Any:
        if stepped:
            journal.tell(StepStarted("Promote"))
        raise failed

    with capture_logs():
        run.tell_all(request, journal, fails)
    last = streams.told(redis, request.run)[-1]
    assert isinstance(last, Ended)
    parts = {"outcome": last.outcome, "summary": last.summary, "state": last.state, "hint": last.hint, "by": last.by}
    return [f"  {name + ':':9}{text}" for name, text in parts.items() if text]
