"""Whatever happens, in whatever order, no promise is broken, and in the end each command has its one final message.

People command, click and come too late; Slack delivers twice; two bots, two reporters, jobs and Redis die, and it takes
a while until a dead job is missed and its locks are free; connections are cut; apt and Engines fail; hosts are rebooted
and drained by others. Each process is killed at a point of imker.fault, any of them.
"""

import os
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from redis import Redis

from imker.fault import OfBot, OfJob, OfReporter
from lab.simulated.dialect import Pace
from lab.simulated.fleet import Fleet, named, running
from tests.figures import figure
from tests.flow.circle import Deaths
from tests.flow.promises import Promises
from tests.flow.story import ALICE, BOB, CAROL, ROLES

AT_ONCE = Pace(upgrade=0, restart=0, boot=0, join=0)
EXPIRY = 1900.0  # seconds, after which a question is too old
SOON = 12.0  # seconds after which a bot has looked for what another left
MANY = "FIGURES" in os.environ  # stories that nobody has heard yet; else the same ones each time
STORIES = 100 if MANY else 24
hosts = st.sampled_from(sorted(ROLES))
number_of, either = st.integers(0, 5), st.integers(0, 1)
bots, reporters, jobs = (
    st.sampled_from([*[None] * spared, *((point, number) for point in get_args(side) for number in range(times))])
    for side, times, spared in ((OfBot, 1, 8), (OfReporter, 1, 2), (OfJob, 4, 20))
)  # `spared`: so many times rather than each point nobody dies


class AnyOrder(Promises):
    @initialize(moved=st.integers(0, 2))
    def begin(self, moved: int) -> None:
        """With no swarm yet, with its first manager, or with a manager-to-be that waits."""
        for host in ("connewitz", "tondi")[:moved]:
            self.migrate(host, None, False)
            self.work_and_report(None, None, None)

    # --- people ---

    @rule(host=hosts, dies=bots, again=st.booleans())
    def migrate(self, host: str, dies: Deaths, again: bool) -> None:
        self.delivered(self.circle.types(ALICE, f"migrate {host} --{ROLES[host]}"), dies, again)

    @rule(dies=bots, again=st.booleans())
    def nodes(self, dies: Deaths, again: bool) -> None:
        self.delivered(self.circle.types(CAROL, "nodes"), dies, again)

    @precondition(lambda self: self.runs())
    @rule(what=st.sampled_from(["pause", "resume", "cancel", "retry", "status"]), number=number_of, dies=bots)
    def steer(self, what: str, number: int, dies: Deaths) -> None:
        self.delivered(self.circle.types(ALICE, f"{what} {self.runs()[number % len(self.runs())]}"), dies)

    @precondition(lambda self: self.buttons())
    @rule(number=number_of, who=st.sampled_from([ALICE, BOB]), dies=bots, again=st.booleans(), twice=st.booleans())
    def press(self, number: int, who: str, dies: Deaths, again: bool, twice: bool) -> None:
        button = self.buttons()[number % len(self.buttons())]
        for _ in range(1 + twice):
            self.pressed(who, button, dies, again)

    @precondition(lambda self: self.buttons())
    @rule(dies=jobs)
    def answer_and_work(self, dies: Deaths) -> None:
        self.answered()
        self.circle.work("changes", dies)

    @precondition(lambda self: self.known)
    @rule(number=number_of, who=st.sampled_from([ALICE, BOB]))
    def press_what_is_old(self, number: int, who: str) -> None:
        self.pressed(who, self.known[number % len(self.known)])

    @precondition(lambda self: self.runs())
    @rule(number=number_of, who=st.sampled_from([ALICE, BOB]), word=st.sampled_from(["accept", "reject"]), dies=bots)
    def decide_by_typing(self, number: int, who: str, word: str, dies: Deaths) -> None:
        run = self.runs()[number % len(self.runs())]
        for seen in self.circle.sees():
            if word == "accept" and f"run `{run}`" in seen.plain:
                self.said_yes(who, seen)
        self.delivered(self.circle.types(who, f"{word} {run}"), dies)

    @rule(seconds=st.sampled_from([2.0, 12.0, 60.0, EXPIRY]))
    def time_passes(self, seconds: float) -> None:
        """What a dead bot left is kept for as long as Slack can be answered; another looks well before that is over."""
        self.circle.passes(min(seconds, SOON))
        if seconds > SOON:
            self.circle.catch_up()
            self.circle.passes(seconds - SOON)

    # --- processes ---

    @rule(queue=st.sampled_from(["changes", "changes", "reads"]), dies=jobs, cut=st.none() | st.integers(1, 60))
    def work(self, queue: str, dies: Deaths, cut: int | None) -> None:
        self.circle.work(queue, dies, cut)

    @rule(dies=jobs, cut=st.none() | st.integers(1, 60), then=reporters)
    def work_and_report(self, dies: Deaths, cut: int | None, then: Deaths) -> None:
        self.circle.work("changes", dies, cut)
        self.circle.report(then)

    @rule(dies=reporters, which=either)
    def report(self, dies: Deaths, which: int = 0) -> None:
        self.circle.report(dies, which)

    @rule(dies=bots, which=either)
    def catch_up(self, dies: Deaths, which: int = 0) -> None:
        self.circle.catch_up(dies, which)

    @rule()
    def who_died_is_missed(self) -> None:
        self.circle.miss()

    @rule()
    def redis_dies(self) -> None:
        self.circle.kill_redis()

    # --- hosts ---

    @rule(host=hosts)
    def reboot(self, host: str) -> None:
        """Its Engine may not come back: what stands on its disk is of 2016."""
        self.circle.fleet[host].dockerd.failing = 0  # systemd starts it again until it runs
        self.circle.fleet.reboot(host)
        assert self.up(host)

    @rule(host=hosts, fails=st.booleans())
    def apt_fails(self, host: str, fails: bool) -> None:
        self.circle.fleet[host].apt_fails = fails

    @rule(host=hosts, times=st.integers(0, 3))
    def engine_fails(self, host: str, times: int) -> None:
        """At its next starts: the new one's, the old one's with its old files, and with clean ones."""
        self.circle.fleet[host].dockerd.failing = times

    @rule(host=hosts)
    def drained_by_somebody_else(self, host: str) -> None:
        self.circle.fleet.world.swarm.drain(self.circle.fleet[host])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running(named(ROLES), tmp_path_factory.mktemp("any-order"), AT_ONCE) as fleet:
        yield fleet


@pytest.mark.figures
@pytest.mark.timeout(3600 if MANY else 300)
def test_in_any_order_no_promise_is_broken(redis: Redis, fleet: Fleet) -> None:
    how = settings(
        max_examples=STORIES,
        stateful_step_count=30,
        deadline=None,
        derandomize=not MANY,
        phases=[Phase.generate],  # a shorter story would be told by minutes of trying
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: AnyOrder(redis, fleet), settings=how)
    figure("stories in any order in which a promise was broken", f"0 of {STORIES}")


def test_a_question_that_is_asked_anew_outlives_the_bot_that_was_told_so(redis: Redis, fleet: Fleet) -> None:
    """A run whose question came of age is not looked at any more: who dies before it is, leaves it to the next."""
    story = AnyOrder(redis, fleet)
    story.begin(2)
    story.time_passes(EXPIRY)
    story.report(None)
    assert story.circle.runs.open_runs() == []
    asked = story.runs()[0]
    story.circle.deliver(story.circle.types(BOB, f"accept {asked}"), ("decision.kept", 0))
    story.teardown()
