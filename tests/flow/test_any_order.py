"""Whatever happens, in whatever order, no promise is broken, and in the end each command has its one final message.

People command, click and come too late; Slack delivers twice; bot, reporter, jobs and Redis die; connections are cut;
hosts are rebooted and drained by others. Each process is killed at a point of imker.fault, any of them.
"""

import re
import time
from collections.abc import Iterator
from typing import Any, cast, get_args

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from bot import blocks
from bot.inbox import INBOX, Delivery
from bot.record import Verdict, run_id
from imker.audit import Audit
from imker.chain import verify
from imker.fault import OfBot, OfJob, OfReporter
from jobs.facts import PENDING
from jobs.gather import wait_for
from lab.canaries import found, held_by
from lab.chaos import invariants
from lab.chaos.people import PRESSES
from lab.simulated.dialect import Pace
from lab.simulated.fleet import Fleet, named, running
from lab.simulated.machine import Machine
from lab.slack.client import Seen
from tests.flow.circle import Circle, Deaths

ROLES = {"connewitz": "manager", "tondi": "manager", "lausen": "worker"}
ALICE, BOB, CAROL = "U01ALICE", "U02BOB", "U03CAROL"
AT_ONCE = Pace(upgrade=0, restart=0, boot=0, join=0)
EXPIRY = 1900.0  # seconds, after which a question is too old
SOON = 12.0  # seconds after which a bot has looked for what another left
HEALING = 30  # rounds in which all has to be over
hosts = st.sampled_from(sorted(ROLES))
which = st.integers(0, 5)
bots, reporters, jobs = (
    st.sampled_from([*[None] * spared, *((point, number) for point in get_args(side) for number in range(times))])
    for side, times, spared in ((OfBot, 1, 8), (OfReporter, 1, 2), (OfJob, 4, 20))
)  # `spared`: so many times rather than each point nobody dies
Button = tuple[Seen, str, Verdict]  # where it stood, its value, what it says


class AnyOrder(RuleBasedStateMachine):
    def __init__(self, redis: Redis, fleet: Fleet) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.circle = Circle(redis, fleet, self.patch)
        self.accepted: dict[str, float] = {}  # node -> when somebody other than who asked said yes first
        self.known: list[Button] = []  # all that ever could be pressed

    @initialize(moved=st.integers(0, 2))
    def begin(self, moved: int) -> None:
        """With no swarm yet, with its first manager, or with a manager-to-be that waits."""
        for host in ("connewitz", "tondi")[:moved]:
            self.migrate(host, None, False)
            self.work_and_report(None, None, None)

    # --- people ---

    @rule(host=hosts, dies=bots, again=st.booleans())
    def migrate(self, host: str, dies: Deaths, again: bool) -> None:
        self._deliver(self.circle.types(ALICE, f"migrate {host} --{ROLES[host]}"), dies, again)

    @rule(dies=bots, again=st.booleans())
    def nodes(self, dies: Deaths, again: bool) -> None:
        self._deliver(self.circle.types(CAROL, "nodes"), dies, again)

    @precondition(lambda self: self.runs())
    @rule(what=st.sampled_from(["pause", "resume", "cancel", "retry", "status"]), number=which, dies=bots)
    def steer(self, what: str, number: int, dies: Deaths) -> None:
        self._deliver(self.circle.types(ALICE, f"{what} {self.runs()[number % len(self.runs())]}"), dies)

    @precondition(lambda self: self.buttons())
    @rule(number=which, who=st.sampled_from([ALICE, BOB]), dies=bots, again=st.booleans(), twice=st.booleans())
    def press(self, number: int, who: str, dies: Deaths, again: bool, twice: bool) -> None:
        button = self.buttons()[number % len(self.buttons())]
        for _ in range(1 + twice):
            self._press(who, button, dies, again)

    @precondition(lambda self: self.buttons())
    @rule(dies=jobs)
    def answer_and_work(self, dies: Deaths) -> None:
        self._answer()
        self.circle.work("changes", dies)

    @precondition(lambda self: self.known)
    @rule(number=which, who=st.sampled_from([ALICE, BOB]))
    def press_what_is_old(self, number: int, who: str) -> None:
        self._press(who, self.known[number % len(self.known)])

    @precondition(lambda self: self.runs())
    @rule(number=which, who=st.sampled_from([ALICE, BOB]), word=st.sampled_from(["accept", "reject"]), dies=bots)
    def decide_by_typing(self, number: int, who: str, word: str, dies: Deaths) -> None:
        run = self.runs()[number % len(self.runs())]
        for seen in self.circle.sees():
            if word == "accept" and f"run `{run}`" in seen.plain:
                self._yes(who, seen)
        self._deliver(self.circle.types(who, f"{word} {run}"), dies)

    @rule(seconds=st.sampled_from([2.0, 12.0, EXPIRY]))
    def time_passes(self, seconds: float) -> None:
        """What a dead bot left is kept for as long as Slack can be answered; another looks well before that is over."""
        self.circle.ahead += min(seconds, SOON)
        if seconds > SOON:
            self.circle.catch_up()
            self.circle.ahead += seconds - SOON

    # --- processes ---

    @rule(queue=st.sampled_from(["changes", "changes", "reads"]), dies=jobs, cut=st.none() | st.integers(1, 60))
    def work(self, queue: str, dies: Deaths, cut: int | None) -> None:
        self.circle.work(queue, dies, cut)

    @rule(dies=jobs, cut=st.none() | st.integers(1, 60), then=reporters)
    def work_and_report(self, dies: Deaths, cut: int | None, then: Deaths) -> None:
        self.circle.work("changes", dies, cut)
        self.circle.report(then)

    @rule(dies=reporters)
    def report(self, dies: Deaths) -> None:
        self.circle.report(dies)

    @rule(dies=bots)
    def catch_up(self, dies: Deaths) -> None:
        self.circle.catch_up(dies)

    @rule()
    def redis_dies(self) -> None:
        self.circle.kill_redis()

    # --- hosts ---

    @rule(host=hosts)
    def reboot(self, host: str) -> None:
        """Its Engine may not come back: what stands on its disk is of 2016."""
        machine = self.circle.fleet[host]
        self.circle.fleet.reboot(host)
        assert wait_for(lambda: self._is_up(machine), 10)

    @rule(host=hosts)
    def drained_by_somebody_else(self, host: str) -> None:
        node = self.circle.fleet.world.swarm.node_of(self.circle.fleet[host])
        if node is not None:
            node.availability, node.index = "drain", node.index + 1000

    # --- what must hold ---

    @invariant()
    def nothing_is_broken(self) -> None:
        world = self.circle.fleet.world
        deeds = world.history.deeds()
        wrong = invariants.one_at_a_time(deeds) + invariants.fence_never_goes_down(deeds)
        wrong += invariants.nothing_twice(deeds) + invariants.no_manager_unasked(deeds, self.accepted)
        wrong += invariants.no_doubled_posts(self.circle.sees())
        assert [*wrong, *world.history.unknown] == []
        assert not world.swarm.managers() or world.swarm.quorum()
        assert verify(list(Audit(self.circle.redis).entries())) == ()

    def teardown(self) -> None:
        try:
            self._heal()
            self._all_is_answered()
            self._all_arrive_and_stay()
            assert found(self.circle.fleet.world.swarm.tokens.values(), held_by(self.circle.redis)) == []
        finally:
            self.patch.undo()

    def _heal(self) -> None:
        """Nothing breaks any more; somebody answers what is asked."""
        circle = self.circle
        for _ in range(HEALING):
            circle.ahead += 12
            circle.catch_up()
            circle.report()
            while circle.work("changes") or circle.work("reads"):
                circle.ahead += 2
                circle.report()
            if not circle.runs.open_runs() and not circle.redis.smembers(INBOX):
                return
            self._answer()
        raise AssertionError(f"no end of {circle.runs.open_runs()}")

    def _answer(self) -> None:
        for seen in self.circle.sees():
            labels = [(label, who) for label, who in PRESSES if label in seen.buttons]
            for label, who in labels[:1]:
                self._press(who, next(button for name, button in _buttons(seen) if name == label))

    def _all_is_answered(self) -> None:
        """Each acknowledged command has become a run with one message, which is its last word, or was answered."""
        circle = self.circle
        for known, delivery in circle.acked.items():
            record = circle.runs.record(run_id(known))
            if record is None:
                asked = delivery.verdict is None and delivery.text.split()[0] in ("migrate", "nodes", "retry", "status")
                assert not asked or circle.private.get(known), f"never answered: {delivery.text}"
                continue
            (message,) = [seen for seen in circle.sees() if f"run `{record.run}`" in seen.plain and not seen.thread]
            view = circle.runs.view(record)
            assert view.state in ("over", "lost") or view.expired
            assert message.text == blocks.render(view).text

    def _all_arrive_and_stay(self) -> None:
        """What people wanted comes true when they ask again; and asking once more changes nothing."""
        for _ in range(3):
            for host, role in ROLES.items():
                self._deliver(self.circle.types(ALICE, f"migrate {host} --{role}"))
                self._heal()
        nodes = {node.hostname: node for node in self.circle.fleet.world.swarm.nodes.values() if node.machine}
        assert {name: node.role for name, node in nodes.items()} == ROLES
        assert not any(PENDING in node.labels for node in nodes.values())
        before = len(self._changes())
        for host, role in ROLES.items():
            self._deliver(self.circle.types(ALICE, f"migrate {host} --{role}"))
        self._heal()
        assert self._changes()[before:] == []
        self.nothing_is_broken()

    # --- ---

    def _is_up(self, machine: Machine) -> bool:
        with machine.lock:
            return machine.up

    def runs(self) -> list[str]:
        return [record.run for record in self.circle.runs.recent(6)]

    def buttons(self) -> list[Button]:
        found = [button for seen in self.circle.sees() for _, button in _buttons(seen)]
        self.known += [button for button in found if button not in self.known]
        return found

    def _changes(self) -> list[Any]:
        deeds = self.circle.fleet.world.history.deeds()
        kinds = (*invariants.CHANGING, "init", "join", "leave", "promote", "demote", "node")
        return [deed for deed in deeds if deed.kind in kinds and invariants.PROBE not in deed.what]

    def _deliver(self, delivery: Delivery, dies: Deaths = None, again: bool = False) -> None:
        self.circle.deliver(delivery, dies)
        if again:
            self.circle.deliver(delivery)

    def _press(self, who: str, button: Button, dies: Deaths = None, again: bool = False) -> None:
        seen, value, verdict = button
        if verdict == "accept":
            self._yes(who, seen)
        self._deliver(self.circle.presses(who, seen, value, verdict), dies, again)

    def _yes(self, who: str, seen: Seen) -> None:
        node = re.search(r"sees node `(\w+)`", seen.plain)
        if node and who == BOB:
            self.accepted.setdefault(node[1], time.monotonic())


def _buttons(seen: Seen) -> Iterator[tuple[str, Button]]:
    for block in seen.raw["blocks"]:
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            verdict = cast(Verdict, element["action_id"].removeprefix("run."))
            yield element["text"]["text"], (seen, element["value"], verdict)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running(named(ROLES), tmp_path_factory.mktemp("any-order"), AT_ONCE) as fleet:
        yield fleet


@pytest.mark.timeout(300)
def test_in_any_order_no_promise_is_broken(redis: Redis, fleet: Fleet) -> None:
    how = settings(
        max_examples=24,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # a shorter story would be told by minutes of trying
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: AnyOrder(redis, fleet), settings=how)


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
