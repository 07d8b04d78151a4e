"""Run random events in any order: every invariant holds, and each command ends with exactly one final message.

Users type, click, answer too late, and try what they have no right to. Slack delivers twice. Two bots, two reconcilers,
jobs, and Redis crash, and a dead job is noticed, and its locks expire, only after a while. Connections are cut, apt and
Engines fail, and hosts are rebooted or drained by others. Each process can crash at any point of `imker.failpoints`.
"""

import os
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from redis import Redis

from imker.failpoints import BotFailpoint, JobFailpoint, ReconcilerFailpoint
from lab.chaos.planned_commands import OTHER_COMMANDS, OUTSIDERS_COMMANDS
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet, run_fleet, select_hosts
from tests.support.figures import record_figure
from tests.support.in_process_stack import KillPoint
from tests.support.invariants import CheckedScenario
from tests.support.scenario import ALICE, BOB, CAROL, ROLES

AT_ONCE = Pace(upgrade=0, restart=0, boot=0, join=0, task_start=0, task_restart=0, monitor=0)
EXPIRY = 1900.0  # seconds after which a question has expired
SOON = 12.0  # seconds after which a bot has recovered the deliveries of a crashed one
MANY = "FIGURES" in os.environ  # new random stories; else the same ones each time
STORIES = 100 if MANY else 24
NODE_COMMANDS = ("drain", "activate", "promote", "demote", "remove", "upgrade")
hosts = st.sampled_from(sorted(ROLES))
number_of, either = st.integers(0, 5), st.integers(0, 1)
bots, reconcilers, jobs = (
    st.sampled_from([*[None] * spared, *((point, number) for point in get_args(side) for number in range(times))])
    for side, times, spared in ((BotFailpoint, 1, 8), (ReconcilerFailpoint, 1, 2), (JobFailpoint, 4, 20))
)  # `spared`: how many draws have no crash, compared with one per failpoint


class AnyOrder(CheckedScenario):
    @initialize(moved=st.integers(0, 2))
    def begin(self, moved: int) -> None:
        """Begin with no swarm, with one manager, or with a manager pending acceptance."""
        for host in ("connewitz", "tondi")[:moved]:
            self.migrate(host, None, False)
            self.work_and_report(None, None, None)

    # --- people ---

    @rule(host=hosts, dies=bots, again=st.booleans())
    def migrate(self, host: str, dies: KillPoint, again: bool) -> None:
        self.deliver(self.stack.type_command(ALICE, f"migrate {host} --{ROLES[host]}"), dies, again)

    @rule(dies=bots, again=st.booleans())
    def nodes(self, dies: KillPoint, again: bool) -> None:
        self.deliver(self.stack.type_command(BOB, "nodes"), dies, again)

    @rule(text=st.sampled_from(OUTSIDERS_COMMANDS), host=hosts, dies=bots, again=st.booleans())
    def try_without_right(self, text: str, host: str, dies: KillPoint, again: bool) -> None:
        self.deliver(self.stack.type_command(CAROL, text.format(host=host)), dies, again)

    @rule(text=st.sampled_from(OTHER_COMMANDS), dies=bots, again=st.booleans())
    def serve(self, text: str, dies: KillPoint, again: bool) -> None:
        self.deliver(self.stack.type_command(ALICE, text), dies, again)

    @rule(what=st.sampled_from(NODE_COMMANDS), host=hosts, dies=bots, again=st.booleans())
    def operate(self, what: str, host: str, dies: KillPoint, again: bool) -> None:
        self.deliver(self.stack.type_command(ALICE, f"{what} {host}"), dies, again)

    @precondition(lambda self: self.recent_runs())
    @rule(what=st.sampled_from(["pause", "resume", "cancel", "retry", "status"]), number=number_of, dies=bots)
    def steer(self, what: str, number: int, dies: KillPoint) -> None:
        self.deliver(
            self.stack.type_command(ALICE, f"{what} {self.recent_runs()[number % len(self.recent_runs())]}"), dies
        )

    @precondition(lambda self: self.find_buttons())
    @rule(number=number_of, who=st.sampled_from([ALICE, BOB]), dies=bots, again=st.booleans(), twice=st.booleans())
    def press(self, number: int, who: str, dies: KillPoint, again: bool, twice: bool) -> None:
        button = self.find_buttons()[number % len(self.find_buttons())]
        for _ in range(1 + twice):
            self.press_button(who, button, dies, again)

    @precondition(lambda self: self.find_buttons())
    @rule(dies=jobs)
    def answer_and_work(self, dies: KillPoint) -> None:
        self.answer_questions()
        self.stack.run_job("changes", dies)

    @precondition(lambda self: self.seen_buttons)
    @rule(number=number_of, who=st.sampled_from([ALICE, BOB]))
    def press_old_button(self, number: int, who: str) -> None:
        self.press_button(who, self.seen_buttons[number % len(self.seen_buttons)])

    @precondition(lambda self: self.recent_runs())
    @rule(number=number_of, who=st.sampled_from([ALICE, BOB]), word=st.sampled_from(["accept", "reject"]), dies=bots)
    def decide_by_typing(self, number: int, who: str, word: str, dies: KillPoint) -> None:
        run = self.recent_runs()[number % len(self.recent_runs())]
        for message in self.stack.visible_messages():
            if word == "accept" and f"run `{run}`" in message.plain_text:
                self.record_approval(who, message)
        self.deliver(self.stack.type_command(who, f"{word} {run}"), dies)

    @rule(seconds=st.sampled_from([2.0, 12.0, 60.0, EXPIRY]))
    def time_passes(self, seconds: float) -> None:
        """Advance the clock.

        Let the other bot recover abandoned deliveries before Slack stops accepting replies to them.
        """
        self.stack.advance_clock(min(seconds, SOON))
        if seconds > SOON:
            self.stack.recover()
            self.stack.advance_clock(seconds - SOON)

    # --- processes ---

    @rule(queue=st.sampled_from(["changes", "changes", "reads"]), dies=jobs, cut=st.none() | st.integers(1, 60))
    def work(self, queue: str, dies: KillPoint, cut: int | None) -> None:
        self.stack.run_job(queue, dies, cut)

    @rule(dies=jobs, cut=st.none() | st.integers(1, 60), then=reconcilers)
    def work_and_report(self, dies: KillPoint, cut: int | None, then: KillPoint) -> None:
        self.stack.run_job("changes", dies, cut)
        self.stack.reconcile(then)

    @rule(dies=reconcilers, which=either)
    def report(self, dies: KillPoint, which: int = 0) -> None:
        self.stack.reconcile(dies, which)

    @rule(dies=bots, which=either)
    def catch_up(self, dies: KillPoint, which: int = 0) -> None:
        self.stack.recover(dies, which)

    @rule()
    def expire_locks_of_dead_jobs(self) -> None:
        self.stack.expire_locks()

    @rule()
    def redis_dies(self) -> None:
        self.stack.kill_redis()

    # --- hosts ---

    @rule(host=hosts)
    def reboot(self, host: str) -> None:
        """Reboot a host. Its Engine may not start, because the files on its disk are from 2016."""
        self.stack.fleet[host].dockerd.failures_left = 0  # systemd starts it again until it runs
        self.stack.fleet.reboot(host)
        assert self.wait_until_up(host)

    @rule(host=hosts, fails=st.booleans())
    def apt_fails(self, host: str, fails: bool) -> None:
        self.stack.fleet[host].apt_fails = fails

    @rule(host=hosts, times=st.integers(0, 3))
    def engine_fails(self, host: str, times: int) -> None:
        """Let the next starts fail: of the new Engine, of the old one with its old files, and with clean files."""
        self.stack.fleet[host].dockerd.failures_left = times

    @rule(host=hosts)
    def drain_by_another_user(self, host: str) -> None:
        self.stack.fleet.world.swarm.drain(self.stack.fleet[host])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with run_fleet(select_hosts(ROLES), tmp_path_factory.mktemp("any-order"), AT_ONCE) as fleet:
        yield fleet


@pytest.mark.figures
@pytest.mark.timeout(3600 if MANY else 300)
def test_keeps_all_invariants_in_any_order(redis: Redis, fleet: Fleet) -> None:
    profile = settings(
        max_examples=STORIES,
        stateful_step_count=30,
        deadline=None,
        derandomize=not MANY,
        phases=[Phase.generate],  # no shrinking: it would take minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: AnyOrder(redis, fleet), settings=profile)
    record_figure("random stories that broke an invariant", f"0 of {STORIES}")


def test_renewed_question_survives_a_bot_crash(redis: Redis, fleet: Fleet) -> None:
    """The reconciler no longer checks a run whose question expired. If the bot crashes, the next bot renews it."""
    story = AnyOrder(redis, fleet)
    story.begin(2)
    story.time_passes(EXPIRY)
    story.report(None)
    assert story.stack.runs.open_runs() == []
    run = story.recent_runs()[0]
    story.stack.deliver(story.stack.type_command(BOB, f"accept {run}"), ("decision.saved", 0))
    story.teardown()


def test_a_story_of_services_keeps_all_invariants(redis: Redis, fleet: Fleet) -> None:
    """Create, scale, restart, and roll back a service, and die on the way. In the end it runs as it was asked for."""
    story = AnyOrder(redis, fleet)
    story.begin(1)
    for text in ("create web nginx:1.11 --replicas 2", "scale web=3", "restart web", "scale web=1", "rollback web"):
        story.serve(text, None, again=True)
        story.work_and_report(("step.done", 0), None, None)
        story._stop_faults()
        story._recover()
        if text != "rollback web":  # a second one would swing back
            story.serve(text, None, again=False)
            story._recover()
    actions = [action.detail for action in fleet.world.history.actions("service") if not action.error]
    assert sum(detail == "create web" for detail in actions) == 1
    (service,) = fleet.world.swarm.services.orchestrator.services.values()
    assert service.replicas == 3
    story.teardown()


def test_a_story_of_node_commands_keeps_all_invariants(redis: Redis, fleet: Fleet) -> None:
    """Promote the worker, drain and remove a manager, and die on the way. In the end all is as it was."""
    story = AnyOrder(redis, fleet)
    story.begin(2)
    for host in ROLES:
        story.request_migration(host)
        story._recover()
    for what, host in (("promote", "lausen"), ("drain", "tondi"), ("activate", "tondi"), ("remove", "tondi")):
        story.operate(what, host, None, again=True)
        story.work_and_report(("step.done", 0), None, None)
        story._stop_faults()
        story._recover()
        story.operate(what, host, None, again=False)
        story._recover()
    nodes = {node.hostname: node.role for node in fleet.world.swarm.nodes.values()}
    assert nodes == {"connewitz": "manager", "lausen": "manager"}
    story.teardown()
