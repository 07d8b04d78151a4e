"""Check what must hold after each event, and what must hold in the end without faults."""

from hypothesis.stateful import invariant

from bot.listeners.inbox import INBOX_KEY
from bot.messages.runs import fleet_message
from bot.state import fleet_state
from imker.audit_log import AuditLog
from imker.hash_chain import verify
from imker.protocol.run_id import run_id
from jobs.execute.polling import wait_for
from jobs.facts.swarm import PENDING_LABEL
from lab.chaos import invariants
from lab.chaos.planned_commands import OTHER_COMMANDS, OUTSIDERS_COMMANDS
from lab.secret_scanner import dump_redis, find_leaks
from tests.support.in_process_stack import LEASE_SECONDS
from tests.support.scenario import ALICE, CAROL, ROLES, Scenario

ALL_RUNS = 1000  # more than a story has
ANSWERED_VERBS = {
    *("migrate", "nodes", "retry", "status"),
    *(text.split()[0] for text in (*OTHER_COMMANDS, *OUTSIDERS_COMMANDS)),
}  # decisions on a run may come too late for a reply
MAX_RECOVERY_ROUNDS = 30  # rounds in which all has to be over


class CheckedScenario(Scenario):
    @invariant()
    def invariants_hold(self) -> None:
        world = self.stack.fleet.world
        deeds = world.history.actions()
        wrong = invariants.no_concurrent_changes(deeds) + invariants.fencing_token_never_decreases(deeds)
        wrong += invariants.nothing_done_twice(deeds) + invariants.no_manager_without_approval(deeds, self.approved_at)
        wrong += invariants.no_duplicate_posts(self.stack.visible_messages())
        records = self.stack.runs.recent(ALL_RUNS)
        wrong += invariants.services_change_once_per_run(deeds, [record.command.type for record in records])
        wrong += invariants.nothing_without_right(deeds, self.stack.visible_messages(), CAROL)
        wrong += [f"a run without a right: {record.run}" for record in records if record.requester == CAROL]
        assert [*wrong, *world.history.unknown_requests] == []
        assert not world.swarm.nodes.managers() or world.swarm.nodes.has_quorum()
        assert verify(list(AuditLog(self.stack.redis).entries())) == ()

    def teardown(self) -> None:
        try:
            self._stop_faults()
            self._recover()
            self._check_all_answered()
            self._check_all_migrated()
            assert find_leaks(self.stack.fleet.world.swarm.tokens.values(), dump_redis(self.stack.redis)) == []
        finally:
            self.patch.undo()

    def _stop_faults(self) -> None:
        """Stop all faults and expire the leases of crashed processes."""
        for machine in self.stack.fleet.world.machines.values():
            machine.apt_fails, machine.dockerd.failures_left = False, 0
        self.stack.advance_clock(LEASE_SECONDS)

    def _recover(self) -> None:
        """Run everything until no run is open, and answer the questions."""
        circle = self.stack
        for _ in range(MAX_RECOVERY_ROUNDS):
            circle.advance_clock(12)
            circle.recover()
            circle.reconcile()
            while circle.run_job("changes") or circle.run_job("reads"):
                circle.advance_clock(2)
                circle.reconcile()
            if not circle.runs.open_runs() and not circle.redis.smembers(INBOX_KEY):
                return
            self.answer_questions()
        raise AssertionError(f"no end of {circle.runs.open_runs()}")

    def _check_all_answered(self) -> None:
        """Assert that each acknowledged command has one run with one final message, or a reply."""
        circle = self.stack
        for delivery_id, delivery in circle.acked_deliveries.items():
            snapshot = circle.runs.snapshot(run_id(delivery_id))
            if snapshot is None:
                expects_answer = delivery.choice is None and delivery.text.split()[0] in ANSWERED_VERBS
                assert not expects_answer or circle.private_replies.get(delivery_id), f"never answered: {delivery.text}"
                continue
            (message,) = [
                visible
                for visible in circle.visible_messages()
                if f"run `{snapshot.record.run}`" in visible.plain_text and not visible.thread_ts
            ]
            view, fleet = snapshot.state, circle.runs.fleet_state(snapshot)
            assert view.status in ("finished", "lost") or fleet_state.is_final(view, fleet)
            assert message.text == fleet_message.render_any(view, fleet).text

    def _check_all_migrated(self) -> None:
        """Assert that repeated commands migrate all hosts, and that one more repetition changes nothing."""
        for _ in range(3):
            for host in ROLES:
                self.demote_other_managers()
                self.request_migration(host)
                self._recover()
        nodes = {node.hostname: node for node in self.stack.fleet.world.swarm.nodes.values() if node.machine}
        assert {name: node.role for name, node in nodes.items()} == ROLES, self._diagnosis()
        assert not any(PENDING_LABEL in node.labels for node in nodes.values())
        before = len(invariants.changes_in(self.stack.fleet.world.history.actions()))
        for host in ROLES:
            self.request_migration(host)
        self._recover()
        again = invariants.nothing_changed_again(self.stack.fleet.world.history.actions(), before)
        assert not again, "\n".join([*again, self._diagnosis()])
        self.invariants_hold()

    def demote_other_managers(self) -> None:
        """Demote the nodes that a story has promoted and that are to be workers."""
        managers = {node.hostname for node in self.stack.fleet.world.swarm.nodes.managers()}
        for host in sorted(managers & {name for name, role in ROLES.items() if role == "worker"}):
            self.deliver(self.stack.type_command(ALICE, f"demote {host}"))
            self._recover()

    def _diagnosis(self) -> str:
        """Return the last messages of the channel and the journals of the hosts."""
        journals = [f"{machine.name}: {machine.journal}" for machine in self.stack.fleet.world.machines.values()]
        return "\n---\n".join([*(message.plain_text for message in self.stack.visible_messages()[-6:]), *journals])

    def wait_until_up(self, host: str) -> bool:
        machine = self.stack.fleet[host]

        def is_up() -> bool:
            with machine.lock:
                return machine.is_up

        return wait_for(is_up, 10)
