"""Test the execution of a plan: events of each step, holds between steps, and the lock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import Redis

from imker.protocol import commands, signed, version
from imker.protocol.commands import Hold
from imker.protocol.events import EventBody, FileChanged, StepDone, StepFailed, StepProgress, StepStarted, ThreadDetail
from imker.redaction import OUTPUT_LENGTH
from imker.signing import SigningKey
from jobs import steps
from jobs.connectors.shell import Command, Output
from jobs.context import JobContext
from jobs.errors import Cancelled, InternalError, JobError, Paused, StateChanged
from jobs.events.writer import EventWriter
from jobs.execute import exclusive, membership
from jobs.execute.rollback import RollbackFailed, RolledBack
from jobs.execute.runner import run_host_steps
from jobs.execute.target import StepTarget
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken
from jobs.locking.lease import Lease
from jobs.settings import Settings
from jobs.steps.titles import describe_step
from tests.support import streams

KADITZ, RUN, WHOLE = Host("kaditz", "198.18.0.39"), "k3fm9x2q", "f7wq2p8a"
PLAN = (steps.RemoveClassicContainers(("swarm-agent",)), steps.EnsureContainersRunning(("web",)), steps.WaitForReady())
KEYS = [describe_step(step).key for step in PLAN]
TITLES = [describe_step(step).title for step in PLAN]
Work = Callable[[StepTarget], str]


class Claimed:
    """A host that accepts every fencing token."""

    host = "kaditz"

    def __enter__(self) -> "Claimed":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, command: Command) -> Output:
        assert command.argv == ("true",), "the steps of these tests touch no host"
        return Output(0, "", "")


def new_lease() -> Lease:
    return Lease(FencingToken(1, RUN, 7.0), lambda number: 0)


@dataclass
class Bench:
    """Execute steps as a test defines them, by key. `started_steps`: keys of the executed steps."""

    redis: Redis
    work: dict[str, Work] = field(default_factory=dict)
    started_steps: list[str] = field(default_factory=list)
    opened: int = 0

    def execute(self, step: steps.Step, site: StepTarget) -> str:
        key = describe_step(step).key
        self.started_steps.append(key)
        return self.work.get(key, lambda site: "")(site)

    def shell(self, host: Host) -> Any:
        self.opened += 1
        return Claimed()

    def run_steps(self, plan: tuple[steps.Step, ...] = PLAN, *, part_of: str = "", lease: Lease | None = None) -> None:
        request = commands.Request(RUN, 1, commands.Migrate("kaditz"), "U01ALICE", parent_run=part_of)
        journal = EventWriter(self.redis, streams.KEY, RUN, 1, lambda: 7.0)
        office = JobContext(request, Settings(), {"kaditz": KADITZ}, journal, self.redis, self.shell, no_engine)
        run_host_steps(office, KADITZ, plan, (), lease or new_lease())

    def hold(self, what: str, run: str = RUN, at: float = 1.0) -> None:
        signed_hold = signed.sign_hold(run, Hold(what, "U02BOB", at), at, streams.KEY)  # type: ignore[arg-type]
        self.redis.zadd(version.hold_key(run), {signed_hold: at})

    def forge_hold(self, what: str, run: str = RUN) -> None:
        signed_hold = signed.sign_hold(run, Hold(what, "U02BOB", 2.0), 2.0, SigningKey("m" * 64))  # type: ignore[arg-type]
        self.redis.zadd(version.hold_key(run), {signed_hold: 2.0, b"\xff": 3.0})

    def event_bodies(self) -> list[EventBody]:
        return streams.event_bodies(self.redis, RUN)


def no_engine(host: Host, timeout: float = 10) -> Any:
    raise AssertionError("no Engine is asked")


@pytest.fixture
def bench(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(redis)
    monkeypatch.setattr(exclusive, "execute_step", bench.execute)
    return bench


def test_emits_an_event_before_and_after_each_step(bench: Bench) -> None:
    bench.work[KEYS[1]] = lambda site: "all 1 run"
    bench.run_steps()
    assert bench.event_bodies() == [
        StepStarted(KEYS[0]), StepDone(KEYS[0]), StepStarted(KEYS[1]), StepDone(KEYS[1], "all 1 run"),
        StepStarted(KEYS[2]), StepDone(KEYS[2]),
    ]  # fmt: skip


def test_an_empty_plan_connects_to_no_host(bench: Bench) -> None:
    bench.run_steps(())
    assert (bench.opened, bench.event_bodies()) == (0, [])


def test_a_commands_output_reaches_the_thread_masked_and_bounded(bench: Bench) -> None:
    """A container's log may hold secrets, and lines of any length."""

    def report_log(site: StepTarget) -> str:
        site.on_output(
            "web is not running", "x" * 2**20 + "\nDB_PASSWORD=c4nary77 glpat-c4nary77pmA5qZ1oT2uW\nlast line"
        )
        return ""

    bench.work[KEYS[1]] = report_log
    bench.run_steps()
    (detail,) = [body for body in bench.event_bodies() if isinstance(body, ThreadDetail)]
    assert detail.text.endswith("\nDB_PASSWORD=… …\nlast line")
    assert "c4nary" not in detail.text
    assert len(detail.text) <= OUTPUT_LENGTH


# --- holds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "error", "words"), [("pause", Paused, "paused"), ("cancel", Cancelled, "cancelled")])
@pytest.mark.parametrize("part_of", ["", WHOLE], ids=["its own", "its fleet's"])
@pytest.mark.parametrize("number", range(len(PLAN)))
def test_a_hold_takes_effect_after_the_current_step(
    bench: Bench, what: str, error: type[JobError], words: str, part_of: str, number: int
) -> None:
    def hold_during_step(site: StepTarget) -> str:
        bench.hold(what, part_of or RUN)
        return ""

    bench.work[KEYS[number]] = hold_during_step
    if number == len(PLAN) - 1:
        bench.run_steps(part_of=part_of)  # no step is left to hold
        return
    with pytest.raises(error) as caught:
        bench.run_steps(part_of=part_of)
    assert bench.started_steps == KEYS[: number + 1]
    assert bench.event_bodies()[-1] == StepDone(KEYS[number])
    assert (caught.value.summary, caught.value.user) == (words, "U02BOB")
    assert getattr(caught.value, "parent_run", "") == (part_of if what == "pause" else "")
    result, rest = "; ".join(TITLES[: number + 1]), "; ".join(TITLES[number + 1 :])
    assert caught.value.state == f"Completed on kaditz: {result}. Not done: {rest}."


def test_a_hold_before_the_first_step_runs_no_step(bench: Bench) -> None:
    bench.hold("pause")
    with pytest.raises(Paused) as caught:
        bench.run_steps()
    assert (bench.started_steps, bench.event_bodies()) == ([], [])
    assert "Completed on kaditz: nothing." in caught.value.state


@pytest.mark.parametrize("run", [RUN, "another1"])
def test_ignores_resume_and_the_holds_of_other_runs(bench: Bench, run: str) -> None:
    bench.hold("resume" if run == RUN else "cancel", run)
    bench.run_steps(part_of=WHOLE)
    assert bench.started_steps == KEYS


def test_the_latest_hold_wins(bench: Bench) -> None:
    bench.hold("resume", at=3.0)
    bench.hold("pause", at=2.0)
    bench.run_steps()
    assert bench.started_steps == KEYS


# --- failures ---------------------------------------------------------------------------------------------------------


def failing(summary: str) -> Work:
    def work(site: StepTarget) -> str:
        raise JobError(summary)

    return work


def test_reports_a_failed_step_and_the_state_of_the_host(bench: Bench) -> None:
    bench.work[KEYS[1]] = failing("docker start failed")
    with pytest.raises(JobError) as failed:
        bench.run_steps()
    assert bench.event_bodies()[-1] == StepFailed(KEYS[1], "docker start failed")
    assert bench.started_steps == KEYS[:2]
    assert failed.value.state == f"Completed on kaditz: {TITLES[0]}. Not done: {TITLES[1]}; {TITLES[2]}."


def test_reports_an_internal_error_without_its_details(bench: Bench) -> None:
    def work(site: StepTarget) -> str:
        raise PermissionError(13, "Permission denied", "/root/secret")

    bench.work[KEYS[1]] = work
    with pytest.raises(InternalError) as failed:
        bench.run_steps()
    summary = "Imker hit an internal error on kaditz. Details are in the RQ worker's log"
    assert bench.event_bodies()[-1] == StepFailed(KEYS[1], summary)
    assert failed.value.summary == summary
    assert failed.value.state == f"Completed on kaditz: {TITLES[0]}. Not done: {TITLES[1]}; {TITLES[2]}."


@pytest.mark.parametrize("error", [RolledBack, RollbackFailed])
@pytest.mark.parametrize(
    ("number", "stays"), [(0, ""), (1, f" Not rolled back: {TITLES[0]}."), (2, f" Not rolled back: {TITLES[0]}.")]
)
def test_reports_only_the_remaining_changes_after_a_rollback(
    bench: Bench, error: type[JobError], number: int, stays: str
) -> None:
    """The middle one of these steps is rolled back, or changes nothing permanently."""

    def work(site: StepTarget) -> str:
        raise error("it did not restart", state="It runs as before.")

    bench.work[KEYS[number]] = work
    with pytest.raises(error) as failed:
        bench.run_steps()
    assert failed.value.state == f"It runs as before.{stays}"


def test_runs_no_step_without_the_lock(bench: Bench) -> None:
    lease = new_lease()
    bench.work[KEYS[0]] = lambda site: str(lease.lost.set() or "")
    with pytest.raises(JobError, match="lost the lock on kaditz"):
        bench.run_steps(lease=lease)
    assert bench.started_steps == KEYS[:1]


# --- the swarm's lock -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "alone"),
    [
        (steps.JoinSwarm(True), True),
        (steps.InitSwarm(), True),
        (steps.RestartEngine("26.1.5", (), "id-tondi"), True),
        (steps.RestartEngine("26.1.5", ()), False),
        (steps.WaitForReady(), False),
    ],
)
def test_only_one_host_joins_or_restarts_a_manager_at_a_time(
    bench: Bench, step: steps.Step, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusive, "gather_known_swarm", lambda *_, **__: SwarmFacts())
    monkeypatch.setattr(exclusive, "gather_settled_swarm", lambda *_: SwarmFacts())
    monkeypatch.setattr(membership, "claim_swarm", lambda *_: None)
    monkeypatch.setattr(membership, "is_reachable", lambda *_: True)
    locked: list[bool] = []
    bench.work[describe_step(step).key] = lambda site: str(locked.append(bool(bench.redis.exists("lock:swarm"))) or "")
    bench.run_steps((step,))
    assert locked == [alone]
    assert not bench.redis.exists("lock:swarm"), "given back"


def test_does_not_initialize_a_second_swarm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Node("n1", "tondi", "198.18.0.73", "manager", "active", "ready", "leader", "26.1.5", False)
    monkeypatch.setattr(exclusive, "gather_known_swarm", lambda *_: SwarmFacts("tondi", (first,), ("tondi",)))
    with pytest.raises(StateChanged, match="another swarm was initialized meanwhile"):
        bench.run_steps((steps.InitSwarm(),))
    assert bench.started_steps == []


def manager(name: str, status: str) -> Node:
    return Node(f"id-{name}", name, "198.18.0.1", "manager", "active", "ready", status, "26.1.5", False)


@pytest.mark.parametrize(
    ("statuses", "restarts"),
    [
        (("leader", "reachable", "reachable"), True),
        (("leader", "reachable", "unreachable"), False),
        (("leader", "reachable", "reachable", "reachable", "unreachable"), True),
        (("leader",), True),  # the plan has warned of these two
        (("leader", "reachable"), True),
    ],
)
def test_restarts_a_manager_only_while_the_others_keep_the_quorum(
    bench: Bench, statuses: tuple[str, ...], restarts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another manager may have stopped, or may be restarting, since the plan was made."""
    nodes = tuple(manager(f"m{number}", status) for number, status in enumerate(statuses))
    monkeypatch.setattr(exclusive, "gather_settled_swarm", lambda *_: SwarmFacts("m0", nodes, ("m0",)))
    monkeypatch.setattr(membership, "is_reachable", lambda *_: True)
    step = steps.RestartEngine("26.1.5", (), "id-m1")
    if restarts:
        bench.run_steps((step,))
    else:
        with pytest.raises(StateChanged, match="not restarted: unreachable: m2; the swarm would lose quorum"):
            bench.run_steps((step,))
    assert bench.started_steps == ([describe_step(step).key] if restarts else [])


# --- what a step says meanwhile --------------------------------------------------------------------------------------


def test_emits_progress_only_when_it_changes(bench: Bench) -> None:
    def work(site: StepTarget) -> str:
        for text in ("Unpacking", "Unpacking", "", "Setting up", "Unpacking"):
            site.on_progress(text)
        return ""

    bench.work[KEYS[0]] = work
    bench.run_steps()
    notes = [body.text for body in bench.event_bodies() if isinstance(body, StepProgress)]
    assert notes == ["Unpacking", "Setting up", "Unpacking"]


@pytest.mark.parametrize(("before", "after", "empty"), [("", "new", (True, False)), ("old", "new", (False, False))])
def test_reports_only_digests_of_a_changed_file(
    bench: Bench, before: str, after: str, empty: tuple[bool, bool]
) -> None:
    def work(site: StepTarget) -> str:
        site.on_file_change("/etc/default/docker", before, after)
        return ""

    bench.work[KEYS[0]] = work
    bench.run_steps()
    (change,) = [body for body in bench.event_bodies() if isinstance(body, FileChanged)]
    assert (change.old_sha256 == "", change.new_sha256 == "") == empty
    assert {len(change.old_sha256), len(change.new_sha256)} <= {0, 64}


@pytest.mark.parametrize("run", [RUN, WHOLE])
def test_ignores_an_unsigned_hold(bench: Bench, run: str) -> None:
    bench.forge_hold("cancel", run)
    bench.run_steps(part_of=WHOLE)
    assert bench.started_steps == KEYS
