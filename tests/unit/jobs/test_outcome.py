"""Check that a failed job always says what failed, the state it left, and what to run next."""

import inspect
from operator import attrgetter
from typing import Any

import pytest
from redis import Redis

from bot.commands.parser import parse
from imker.config import ConfigError
from imker.protocol import commands, events
from imker.protocol.commands import Command, Request
from imker.protocol.events import JobFinished, StepStarted
from imker.protocol.next_command import BotCommand, NextCommand
from jobs import errors, run
from jobs.errors import JobError
from jobs.events.writer import EventWriter
from jobs.execute import rollback
from jobs.inventory import hosts
from tests.support import streams

CLASSES = [
    error_class for module in (errors, rollback) for _, error_class in inspect.getmembers(module, inspect.isclass)
]
KINDS = sorted(
    {error_class for error_class in CLASSES if issubclass(error_class, JobError)},
    key=lambda error_class: error_class.__name__,
)
VALUES: dict[str, Any] = {"code": 1, "fence": 8, "since": 7.0, "host": "kaditz"}
READS = (
    commands.ListHosts(),
    commands.ListNodes(),
    commands.PlanHost("kaditz", "manager"),
    commands.RunDoctor(),
    commands.MigrateAll(),
)
CHANGES = (
    commands.Migrate("kaditz", "worker", docker_group=True), commands.StartContainers("kaditz", ("web", "cache")),
    commands.RetireStore("kaditz"), commands.Accept("abc123"), commands.Reject("abc123", remove=True),
)  # fmt: skip


def create_error(kind: type[JobError]) -> JobError:
    """Create an error with a value for each required parameter."""
    required = [
        parameter for parameter in inspect.signature(kind).parameters.values() if parameter.default is parameter.empty
    ]
    return kind(
        *(
            VALUES.get(parameter.name, f"the {parameter.name}")
            for parameter in required
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        )
    )


def ended(redis: Redis, command: Command, failed: Exception, *, job: int = 1, stepped: bool = False) -> JobFinished:
    request = Request("k3fm9x2q", job, command, "U01ALICE")
    writer = EventWriter(redis, streams.KEY, request.run, job, lambda: 7.0)

    def fail() -> Any:
        if stepped:
            writer.emit(StepStarted("PromoteNode"))
        raise failed

    run.run_handler(request, writer, fail)
    last = streams.event_bodies(redis, request.run)[-1]
    assert isinstance(last, JobFinished)
    return last


@pytest.mark.parametrize("command", [*READS, *CHANGES], ids=attrgetter("text"))
@pytest.mark.parametrize("failed", [*map(create_error, KINDS), OSError("no")], ids=lambda failed: type(failed).__name__)
def test_describes_every_error_before_the_first_step(redis: Redis, failed: Exception, command: Command) -> None:
    last = ended(redis, command, failed)
    assert last.outcome in ("failed", "cancelled", "rolled_back")
    assert last.summary
    assert last.state == (getattr(failed, "state", "") or "Nothing was changed.")
    again = NextCommand(command, "try again") if command in READS else NextCommand(BotCommand("retry", "k3fm9x2q"))
    assert last.hint == getattr(failed, "hint", "")
    assert last.next_commands == (getattr(failed, "next_commands", ()) or (again,))


@pytest.mark.parametrize(
    ("command", "how", "state"),
    [
        (CHANGES[0], {}, "Nothing was changed."),
        (CHANGES[0], {"job": 2}, "Nothing more was changed."),
        (CHANGES[0], {"stepped": True}, "Completed steps are kept."),
        (commands.MigrateAll(), {"stepped": True}, "Nothing was changed."),
    ],
)
@pytest.mark.parametrize("failed", [JobError("no"), RuntimeError("no")])
def test_describes_the_state_by_the_progress_of_the_job(
    redis: Redis, failed: Exception, command: Command, how: dict[str, Any], state: str
) -> None:
    assert ended(redis, command, failed, **how).state == state


def test_an_internal_error_names_the_host_but_not_the_exception(redis: Redis) -> None:
    last = ended(redis, CHANGES[0], RuntimeError("SWMTKN-1-secret"))
    assert last.summary == "Imker hit an internal error on kaditz. Details are in the RQ worker's log"


def test_lists_each_problem_of_an_invalid_inventory(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(loaded: object) -> Any:
        raise ConfigError(["machines/x/config.json: no JSON", "[hosts.y]: no address"])

    monkeypatch.setattr(run, "settings_once", lambda: None)
    monkeypatch.setattr(hosts, "load_inventory", broken)
    request = Request("k3fm9x2q", 1, commands.ListHosts(), "U01ALICE")
    writer = EventWriter(redis, streams.KEY, request.run, 1, lambda: 7.0)
    run.run_handler(request, writer, lambda: run._open_context(request, writer, redis))
    (event,) = writer.event_log().events
    assert isinstance(event.body, events.JobFinished)
    assert event.body.summary == "machines/x/config.json: no JSON; [hosts.y]: no address"
    assert event.body.hint.startswith("Fix the configuration on the RQ workers' machine.")


@pytest.mark.parametrize(
    "command", [*READS, *CHANGES, commands.MigrateAll(("tondi", "lausen"))], ids=attrgetter("text")
)
def test_the_bot_parses_every_suggested_command(command: Command) -> None:
    parsed: Any = parse(command.text, hosts=("kaditz", "lausen", "tondi"))
    if isinstance(command, commands.Accept | commands.Reject):
        verdict = "accept" if isinstance(command, commands.Accept) else "remove"
        assert (parsed.target, parsed.choice) == (command.node, verdict)
    else:
        assert parsed == command
