"""However a job ends that failed: it says what failed, in what state that left things, and what to type next."""

import inspect
from typing import Any

import pytest
from redis import Redis

from bot.grammar import parse
from imker.config import ConfigError
from jobs import contract, errors, run
from jobs.contract import Command, Ended, Request, StepStarted
from jobs.errors import JobError
from jobs.execute import back
from jobs.journal import Journal
from jobs.typed import typed
from tests import streams

CLASSES = [made for module in (errors, back) for _, made in inspect.getmembers(module, inspect.isclass)]
KINDS = sorted({made for made in CLASSES if issubclass(made, JobError)}, key=lambda made: made.__name__)
VALUES: dict[str, Any] = {"code": 1, "fence": 8, "since": 7.0, "host": "kaditz"}
READS = (
    contract.Hosts(),
    contract.Nodes(),
    contract.PlanHost("kaditz", "manager"),
    contract.Doctor(),
    contract.MigrateAll(),
)
CHANGES = (
    contract.Migrate("kaditz", "worker", docker_group=True), contract.StartContainers("kaditz", ("web", "cache")),
    contract.RetireStore("kaditz"), contract.Accept("abc123"), contract.Reject("abc123", remove=True),
)  # fmt: skip


def made(kind: type[JobError]) -> JobError:
    """With something for each parameter that has no default."""
    wanted = [one for one in inspect.signature(kind).parameters.values() if one.default is one.empty]
    return kind(*(VALUES.get(one.name, f"the {one.name}") for one in wanted if one.kind is one.POSITIONAL_OR_KEYWORD))


def ended(redis: Redis, command: Command, failed: Exception, *, job: int = 1, stepped: bool = False) -> Ended:
    request = Request("k3fm9x2q", job, command, "U01ALICE")
    journal = Journal(redis, streams.KEY, request.run, job, lambda: 7.0)

    def fails() -> Any:
        if stepped:
            journal.tell(StepStarted("Promote"))
        raise failed

    run.tell_all(request, journal, fails)
    last = streams.told(redis, request.run)[-1]
    assert isinstance(last, Ended)
    return last


@pytest.mark.parametrize("command", [*READS, *CHANGES], ids=typed)
@pytest.mark.parametrize("failed", [*map(made, KINDS), OSError("no")], ids=lambda failed: type(failed).__name__)
def test_whatever_went_wrong_while_looking(redis: Redis, failed: Exception, command: Command) -> None:
    last = ended(redis, command, failed)
    assert last.outcome in ("failed", "cancelled", "restored")
    assert last.summary
    assert last.state == (getattr(failed, "state", "") or "Nothing was changed.")
    own = getattr(failed, "hint", "")
    again = f"Again: {typed(command)}" if command in READS else "/swarm retry k3fm9x2q goes on from what is true then."
    assert last.hint == (own if "/swarm" in own else f"{own} {again}".strip())


@pytest.mark.parametrize(
    ("command", "how", "state"),
    [
        (CHANGES[0], {}, "Nothing was changed."),
        (CHANGES[0], {"job": 2}, "Nothing more was changed."),
        (CHANGES[0], {"stepped": True}, "What was done stays done."),
        (contract.MigrateAll(), {"stepped": True}, "Nothing was changed."),
    ],
)
@pytest.mark.parametrize("failed", [JobError("no"), RuntimeError("no")])
def test_the_state_is_as_far_as_the_job_came(
    redis: Redis, failed: Exception, command: Command, how: dict[str, Any], state: str
) -> None:
    assert ended(redis, command, failed, **how).state == state


def test_imkers_own_fault_names_the_host_and_keeps_its_words_to_the_log(redis: Redis) -> None:
    last = ended(redis, CHANGES[0], RuntimeError("SWMTKN-1-secret"))
    assert last.summary == "Imker itself broke on kaditz; the RQ worker's log has the traceback"


def test_an_inventory_that_broke_since_the_start_is_told_line_by_line(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(loaded: object) -> Any:
        raise ConfigError(["machines/x/config.json: no JSON", "[hosts.y]: no address"])

    monkeypatch.setattr(run, "prepare", lambda: None)
    monkeypatch.setattr(run.inventory, "load", broken)
    request = Request("k3fm9x2q", 1, contract.Hosts(), "U01ALICE")
    journal = Journal(redis, streams.KEY, request.run, 1, lambda: 7.0)
    run.tell_all(request, journal, lambda: run._office(request, journal, redis))
    (event,) = journal.told()
    assert isinstance(event.body, contract.Ended)
    assert event.body.summary == "machines/x/config.json: no JSON; [hosts.y]: no address"
    assert event.body.hint.startswith("Mend that on the RQ workers' machine.")


@pytest.mark.parametrize("command", [*READS, *CHANGES, contract.MigrateAll(("tondi", "lausen"))], ids=typed)
def test_what_is_to_be_typed_is_understood(command: Command) -> None:
    understood: Any = parse(typed(command).removeprefix("/swarm "), hosts=("kaditz", "lausen", "tondi"))
    if isinstance(command, contract.Accept | contract.Reject):
        verdict = "accept" if isinstance(command, contract.Accept) else "remove"
        assert (understood.target, understood.verdict) == (command.node, verdict)
    else:
        assert understood == command
