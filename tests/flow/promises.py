"""What must hold in a story after each thing that happens, and what must come true once nothing breaks any more."""

from hypothesis.stateful import invariant

from bot import blocks
from bot.inbox import INBOX
from bot.record import run_id
from imker.audit import Audit
from imker.chain import verify
from jobs.facts import PENDING
from jobs.gather import wait_for
from lab.canaries import found, held_by
from lab.chaos import invariants
from tests.flow.circle import LEASE
from tests.flow.story import ROLES, Story

HEALING = 30  # rounds in which all has to be over


class Promises(Story):
    @invariant()
    def nothing_is_broken(self) -> None:
        world = self.circle.fleet.world
        deeds = world.history.deeds()
        wrong = invariants.one_at_a_time(deeds) + invariants.fence_never_goes_down(deeds)
        wrong += invariants.nothing_twice(deeds) + invariants.no_manager_unasked(deeds, self.accepted)
        wrong += invariants.no_doubled_posts(self.circle.sees())
        assert [*wrong, *world.history.unknown] == []
        assert not world.swarm.nodes.managers() or world.swarm.nodes.quorum()
        assert verify(list(Audit(self.circle.redis).entries())) == ()

    def teardown(self) -> None:
        try:
            self._mend()
            self._heal()
            self._all_is_answered()
            self._all_arrive_and_stay()
            assert found(self.circle.fleet.world.swarm.tokens.values(), held_by(self.circle.redis)) == []
        finally:
            self.patch.undo()

    def _mend(self) -> None:
        """Nothing breaks any more, and who died is missed."""
        for machine in self.circle.fleet.world.machines.values():
            machine.apt_fails, machine.dockerd.failing = False, 0
        self.circle.passes(LEASE)

    def _heal(self) -> None:
        """Somebody answers what is asked."""
        circle = self.circle
        for _ in range(HEALING):
            circle.passes(12)
            circle.catch_up()
            circle.report()
            while circle.work("changes") or circle.work("reads"):
                circle.passes(2)
                circle.report()
            if not circle.runs.open_runs() and not circle.redis.smembers(INBOX):
                return
            self.answered()
        raise AssertionError(f"no end of {circle.runs.open_runs()}")

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
            for host in ROLES:
                self.asked(host)
                self._heal()
        nodes = {node.hostname: node for node in self.circle.fleet.world.swarm.nodes.values() if node.machine}
        assert {name: node.role for name, node in nodes.items()} == ROLES, self._last_words()
        assert not any(PENDING in node.labels for node in nodes.values())
        before = len(invariants.changes(self.circle.fleet.world.history.deeds()))
        for host in ROLES:
            self.asked(host)
        self._heal()
        again = invariants.again_is_nothing(self.circle.fleet.world.history.deeds(), before)
        assert not again, "\n".join([*again, self._last_words()])
        self.nothing_is_broken()

    def _last_words(self) -> str:
        """Of the channel, and of the hosts' daemons."""
        journals = [f"{machine.name}: {machine.journal}" for machine in self.circle.fleet.world.machines.values()]
        return "\n---\n".join([*(seen.plain for seen in self.circle.sees()[-6:]), *journals])

    def up(self, host: str) -> bool:
        machine = self.circle.fleet[host]

        def is_up() -> bool:
            with machine.lock:
                return machine.up

        return wait_for(is_up, 10)
