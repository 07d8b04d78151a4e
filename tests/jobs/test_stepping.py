"""A plan carried out: each step told at both ends, holds between two of them, none without the lock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import Redis

from imker.signing import Key
from jobs import contract, stepping, steps
from jobs.contract import Body, FileChanged, Hold, StepDone, StepFailed, StepNote, StepStarted
from jobs.errors import Broke, Cancelled, Drifted, JobError, Paused
from jobs.execute.back import Down, Restored
from jobs.execute.site import Site
from jobs.facts import Node, SwarmFacts
from jobs.inventory import Host
from jobs.journal import Journal
from jobs.lock import Lease, Mark
from jobs.office import Office
from jobs.settings import Settings
from jobs.shell import Output
from jobs.stepping import carry_out
from tests import streams

KADITZ, RUN, WHOLE = Host("kaditz", "198.18.0.39"), "k3fm9x2q", "f7wq2p8a"
PLAN = (steps.RetireContainers(("swarm-agent",)), steps.StartContainers(("web",)), steps.CheckNode())
KEYS = [steps.describe(step).key for step in PLAN]
TITLES = [steps.describe(step).title for step in PLAN]
Work = Callable[[Site], str]


class Claimed:
    """A host that lets every run through its fence."""

    host = "kaditz"

    def __enter__(self) -> "Claimed":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, *argv: str, **_: object) -> Output:
        assert argv == ("true",), "the steps of these tests touch no host"
        return Output(0, "", "")


def lasting() -> Lease:
    return Lease(Mark(1, RUN, 7.0), lambda number: 0)


@dataclass
class Bench:
    """Steps that do what a test says, by key; `begun`: those that were executed."""

    redis: Redis
    work: dict[str, Work] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    opened: int = 0

    def execute(self, step: steps.Step, site: Site) -> str:
        key = steps.describe(step).key
        self.begun.append(key)
        return self.work.get(key, lambda site: "")(site)

    def shell(self, host: Host) -> Any:
        self.opened += 1
        return Claimed()

    def carries_out(
        self, plan: tuple[steps.Step, ...] = PLAN, *, part_of: str = "", lease: Lease | None = None
    ) -> None:
        request = contract.Request(RUN, 1, contract.Migrate("kaditz"), "U01ALICE", part_of=part_of)
        journal = Journal(self.redis, streams.KEY, RUN, 1, lambda: 7.0)
        office = Office(request, Settings(), {"kaditz": KADITZ}, journal, self.redis, self.shell, _nobody)
        carry_out(office, KADITZ, plan, (), lease or lasting())

    def holds(self, what: str, run: str = RUN, at: float = 1.0) -> None:
        said = contract.sealed_hold(run, Hold(what, "U02BOB", at), at, streams.KEY)  # type: ignore[arg-type]
        self.redis.zadd(contract.hold_key(run), {said: at})

    def forges(self, what: str, run: str = RUN) -> None:
        said = contract.sealed_hold(run, Hold(what, "U02BOB", 2.0), 2.0, Key("m" * 64))  # type: ignore[arg-type]
        self.redis.zadd(contract.hold_key(run), {said: 2.0, b"\xff": 3.0})

    def told(self) -> list[Body]:
        return streams.told(self.redis, RUN)


def _nobody(host: Host, timeout: float = 10) -> Any:
    raise AssertionError("no Engine is asked")


@pytest.fixture
def bench(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(redis)
    monkeypatch.setattr(stepping, "execute", made.execute)
    return made


def test_each_step_is_told_at_both_ends_with_its_last_word(bench: Bench) -> None:
    bench.work[KEYS[1]] = lambda site: "all 1 run"
    bench.carries_out()
    assert bench.told() == [
        StepStarted(KEYS[0]), StepDone(KEYS[0]), StepStarted(KEYS[1]), StepDone(KEYS[1], "all 1 run"),
        StepStarted(KEYS[2]), StepDone(KEYS[2]),
    ]  # fmt: skip


def test_a_plan_without_steps_reaches_for_no_host(bench: Bench) -> None:
    bench.carries_out(())
    assert (bench.opened, bench.told()) == (0, [])


# --- holds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "error", "words"), [("pause", Paused, "paused"), ("cancel", Cancelled, "cancelled")])
@pytest.mark.parametrize("part_of", ["", WHOLE], ids=["its own", "its fleet's"])
@pytest.mark.parametrize("number", range(len(PLAN)))
def test_a_hold_lets_the_step_end_and_no_other_begin(
    bench: Bench, what: str, error: type[JobError], words: str, part_of: str, number: int
) -> None:
    def said_meanwhile(site: Site) -> str:
        bench.holds(what, part_of or RUN)
        return ""

    bench.work[KEYS[number]] = said_meanwhile
    if number == len(PLAN) - 1:
        bench.carries_out(part_of=part_of)  # nothing is left to hold
        return
    with pytest.raises(error) as held:
        bench.carries_out(part_of=part_of)
    assert bench.begun == KEYS[: number + 1]
    assert bench.told()[-1] == StepDone(KEYS[number])
    assert (held.value.summary, held.value.by) == (words, "U02BOB")
    assert getattr(held.value, "whole", "") == (part_of if what == "pause" else "")
    done, rest = "; ".join(TITLES[: number + 1]), "; ".join(TITLES[number + 1 :])
    assert held.value.state == f"kaditz is left with this done: {done}. Not done: {rest}."


def test_a_hold_before_the_first_step_changes_nothing(bench: Bench) -> None:
    bench.holds("pause")
    with pytest.raises(Paused) as held:
        bench.carries_out()
    assert (bench.begun, bench.told()) == ([], [])
    assert "with this done: nothing." in held.value.state


@pytest.mark.parametrize("run", [RUN, "another1"])
def test_resume_and_another_runs_hold_stop_nothing(bench: Bench, run: str) -> None:
    bench.holds("resume" if run == RUN else "cancel", run)
    bench.carries_out(part_of=WHOLE)
    assert bench.begun == KEYS


def test_the_word_that_was_said_last_counts_whichever_came_first(bench: Bench) -> None:
    bench.holds("resume", at=3.0)
    bench.holds("pause", at=2.0)
    bench.carries_out()
    assert bench.begun == KEYS


# --- failures ---------------------------------------------------------------------------------------------------------


def failing(summary: str) -> Work:
    def work(site: Site) -> str:
        raise JobError(summary)

    return work


def test_a_failing_step_is_told_with_the_state_the_host_is_left_in(bench: Bench) -> None:
    bench.work[KEYS[1]] = failing("docker start failed")
    with pytest.raises(JobError) as failed:
        bench.carries_out()
    assert bench.told()[-1] == StepFailed(KEYS[1], "docker start failed")
    assert bench.begun == KEYS[:2]
    assert failed.value.state.endswith(f"done: {TITLES[0]}. Not done: {TITLES[1]}; {TITLES[2]}.")


def test_an_unforeseen_error_ends_its_step_too_and_its_own_words_stay_in_the_log(bench: Bench) -> None:
    def work(site: Site) -> str:
        raise PermissionError(13, "Permission denied", "/root/secret")

    bench.work[KEYS[1]] = work
    with pytest.raises(Broke) as failed:
        bench.carries_out()
    summary = "Imker itself broke on kaditz; the RQ worker's log has the traceback"
    assert bench.told()[-1] == StepFailed(KEYS[1], summary)
    assert failed.value.summary == summary
    assert failed.value.state.endswith(f"done: {TITLES[0]}. Not done: {TITLES[1]}; {TITLES[2]}.")


@pytest.mark.parametrize("error", [Restored, Down])
@pytest.mark.parametrize(
    ("number", "stays"), [(0, ""), (1, f" Not taken back: {TITLES[0]}."), (2, f" Not taken back: {TITLES[0]}.")]
)
def test_of_a_host_that_was_put_back_only_what_stays_done_is_told(
    bench: Bench, error: type[JobError], number: int, stays: str
) -> None:
    """The middle one of these steps is what is put back, or leaves nothing behind."""

    def work(site: Site) -> str:
        raise error("it did not come back", state="It runs as before.")

    bench.work[KEYS[number]] = work
    with pytest.raises(error) as failed:
        bench.carries_out()
    assert failed.value.state == f"It runs as before.{stays}"


def test_without_its_lock_no_step_begins(bench: Bench) -> None:
    lease = lasting()
    bench.work[KEYS[0]] = lambda site: str(lease.lost.set() or "")
    with pytest.raises(JobError, match="lost the lock on kaditz"):
        bench.carries_out(lease=lease)
    assert bench.begun == KEYS[:1]


# --- the swarm's lock -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "alone"), [(steps.JoinSwarm(True), True), (steps.InitSwarm(), True), (steps.CheckNode(), False)]
)
def test_while_a_host_enters_the_swarm_no_other_does(
    bench: Bench, step: steps.Step, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepping, "gather_swarm", lambda *_: SwarmFacts())
    monkeypatch.setattr(stepping.membership, "claim", lambda *_: None)
    locked: list[bool] = []
    bench.work[steps.describe(step).key] = lambda site: str(locked.append(bool(bench.redis.exists("lock:swarm"))) or "")
    bench.carries_out((step,))
    assert locked == [alone]
    assert not bench.redis.exists("lock:swarm"), "given back"


def test_a_swarm_that_somebody_started_meanwhile_gets_no_sister(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Node("n1", "tondi", "198.18.0.73", "manager", "active", "ready", "leader", "26.1.5", False)
    monkeypatch.setattr(stepping, "gather_swarm", lambda *_: SwarmFacts("tondi", (first,), ("tondi",)))
    with pytest.raises(Drifted, match="did not become a second one"):
        bench.carries_out((steps.InitSwarm(),))
    assert bench.begun == []


# --- what a step says meanwhile --------------------------------------------------------------------------------------


def test_a_steps_word_is_told_when_it_is_a_new_one(bench: Bench) -> None:
    def work(site: Site) -> str:
        for text in ("Unpacking", "Unpacking", "", "Setting up", "Unpacking"):
            site.note(text)
        return ""

    bench.work[KEYS[0]] = work
    bench.carries_out()
    notes = [body.text for body in bench.told() if isinstance(body, StepNote)]
    assert notes == ["Unpacking", "Setting up", "Unpacking"]


@pytest.mark.parametrize(("before", "after", "empty"), [("", "new", (True, False)), ("old", "new", (False, False))])
def test_of_a_changed_file_only_digests_are_told(
    bench: Bench, before: str, after: str, empty: tuple[bool, bool]
) -> None:
    def work(site: Site) -> str:
        site.changed("/etc/default/docker", before, after)
        return ""

    bench.work[KEYS[0]] = work
    bench.carries_out()
    (told,) = [body for body in bench.told() if isinstance(body, FileChanged)]
    assert (told.before == "", told.after == "") == empty
    assert {len(told.before), len(told.after)} <= {0, 64}


@pytest.mark.parametrize("run", [RUN, WHOLE])
def test_a_hold_that_was_not_sealed_is_none(bench: Bench, run: str) -> None:
    bench.forges("cancel", run)
    bench.carries_out(part_of=WHOLE)
    assert bench.begun == KEYS
