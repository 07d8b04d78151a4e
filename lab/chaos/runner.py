"""`make chaos`: inject random faults while users work, then check the invariants. Exit with 1 on a violation.

A generation is a set of hosts with Engines of three ages. It migrates into swarm mode; then the next one starts, until
all faults are used. Then Imker has time to recover, and the last generation must finish, too.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imker.audit_log import AuditLog
from imker.hash_chain import verify
from lab.chaos import invariants
from lab.chaos.faults import FAULTS, Targets, choose_faults, pending_slack_faults
from lab.chaos.outsider import CAROL, Outsider
from lab.chaos.planned_commands import OUTSIDERS_REPLICAS
from lab.chaos.report import InjectedFault, render_table
from lab.chaos.users import ACKED_TIMEOUT, ObservedRun, SimulatedUsers
from lab.chaos.world import ENGINE_AGES, start_world
from lab.secret_scanner import dump_redis, find_leaks
from lab.simulated.fleet import select_hosts
from lab.simulated.history import Action
from lab.simulated.machine import CONFFILE
from lab.story import ALICE, OPS

CONFIG = "\n[watch]\nevery = 10\n"
FAULT_INTERVAL = (0.4, 2.0)  # seconds between faults
RECOVERY_TIMEOUT = 240.0  # seconds after the last fault until everything has to be finished
INTERNAL_ERROR_TEXT = "Imker hit an internal error"
POLL_INTERVAL = 0.3  # seconds between polls of the channel
Say = Callable[[str], None]


@dataclass
class ChaosRun:
    """One chaos run: its targets, its users, and what it records for the checks."""

    targets: Targets
    users: SimulatedUsers
    seed: int
    fault_interval: tuple[float, float]
    say: Say
    secrets: set[str] = field(default_factory=lambda: {"xoxb-lab", "xapp-lab"})
    hits: list[InjectedFault] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    outsider: Outsider | None = None
    generations: int = 1
    _generation_began_at: float = 0.0
    _generation_lock: threading.Lock = field(default_factory=threading.Lock)  # held while a new generation is created

    def run(self, inject: Callable[[], None]) -> None:
        """Inject faults while users work, wait for recovery, and check the invariants."""
        injector = threading.Thread(target=inject, name="faults")
        self._plant_secrets()
        self.users.start_generation(self.targets.fleet.hosts, operates=True)
        self._generation_began_at = time.monotonic()
        injector.start()
        while injector.is_alive():
            self._poll()
            if self.users.is_idle:
                self._start_generation()
        self._drop_unused_faults()
        self._wait_for_recovery()
        self._migrate_again()
        self._check_hosts()
        self._check_channel()
        self._check_audit_log()

    def inject_faults(self, names: Sequence[str]) -> None:
        """Inject one fault after another. Skip one that finds nothing to hit and try the next that does."""
        rng = random.Random(self.seed)
        for number, name in enumerate(names, 1):
            time.sleep(rng.uniform(*self.fault_interval))
            with self._generation_lock:
                order = [name, *rng.sample(list(FAULTS), len(FAULTS))]
                hit = next((kind, target) for kind in order if (target := FAULTS[kind](self.targets, rng)))
                self.hits.append(InjectedFault(*hit, time.monotonic(), self._affected_runs(hit[1])))
            self.say(f"{number:4}  {hit[0]:<31} {hit[1]}")

    def _affected_runs(self, target: str) -> tuple[str, ...]:
        hosts = set(target.split(", ")) & set(self.targets.fleet.world.machines)
        return tuple(run.run for run in self.users.open_runs() if not hosts or run.host in hosts)

    def _drop_unused_faults(self) -> None:
        """Drop Slack faults that no call has hit."""
        for kind in pending_slack_faults(self.targets.workspace):
            latest_hit = next((hit for hit in reversed(self.hits) if hit.fault == kind), None)
            if latest_hit:
                self.hits.remove(latest_hit)
        self.targets.workspace.clear_faults()

    def _plant_secrets(self) -> None:
        """Plant secrets where hosts have some. Imker must not reveal them."""
        for machine in self.targets.fleet.world.machines.values():
            canary = f"canary-{machine.name}-{self.generations}"
            self.secrets.add(canary)
            text = machine.disk.texts[CONFFILE]
            machine.disk.write(CONFFILE, f'{text}export http_proxy="http://imker:{canary}@127.0.0.1:3128/"\n')

    def _poll(self) -> None:
        self.users.poll_channel()
        if self.outsider:
            self.outsider.poll(sorted(self.targets.fleet.world.machines))
        time.sleep(POLL_INTERVAL)

    def _start_generation(self) -> None:
        with self._generation_lock:
            self._check_hosts()
            self.targets.fleet.reset(
                ENGINE_AGES[self.generations % len(ENGINE_AGES) :] + ENGINE_AGES[: self.generations % len(ENGINE_AGES)]
            )
            self.generations += 1
            self._generation_began_at = time.monotonic()
            self._plant_secrets()
        self.users.start_generation(self.targets.fleet.hosts, operates=True)

    def _wait_for_recovery(self) -> None:
        deadline = time.monotonic() + RECOVERY_TIMEOUT
        while not self.users.is_idle and time.monotonic() < deadline:
            self._poll()
        if self.users.remaining_hosts:
            self.violations.append(
                f"not in the swarm after recovery: {', '.join(host.name for host in self.users.remaining_hosts)}"
            )
        if not self.targets.fleet.world.swarm.nodes.has_quorum():
            self.violations.append("no quorum after recovery")

    def _migrate_again(self) -> None:
        """Run all commands again, twice: the first time, the store may be stopped, because no host uses it now."""
        history, changes_before = self.targets.fleet.world.history, 0
        for _ in range(2):
            changes_before = len(invariants.changes_in(history.actions()))
            self.users.start_generation(self.targets.fleet.hosts)
            self._wait_for_recovery()
        self.violations += invariants.nothing_changed_again(history.actions(), changes_before)

    def _check_hosts(self) -> None:
        world = self.targets.fleet.world
        actions = world.history.actions()
        self.violations += invariants.no_concurrent_changes(actions) + invariants.nothing_done_twice(actions)
        self.violations += invariants.fencing_token_never_decreases(actions)
        self.violations += invariants.no_manager_without_approval(actions, self.users.approved_at)
        self.violations += self._check_services(actions)
        self.violations += [f"unknown to a simulated host: {line}" for line in world.history.unknown_requests]
        self.secrets |= set(world.swarm.tokens.values())

    def _check_services(self, actions: Sequence[Action]) -> list[str]:
        """Check the changes of services of this generation, whose world has a history of its own."""
        began_at = self._generation_began_at
        commands = [run.command for run in self.users.runs.values() if run.started_at >= began_at]
        services = self.targets.fleet.world.swarm.services.orchestrator.services.values()
        messages = self.targets.workspace.visible_messages(ALICE, OPS)
        return [
            *invariants.services_change_once_per_run(actions, commands),
            *invariants.nothing_without_right(actions, messages, CAROL),
            *(f"without a right: {each.name} was scaled" for each in services if each.replicas == OUTSIDERS_REPLICAS),
        ]

    def _check_outsider(self) -> None:
        """Check that each acknowledged command of the user without a right was answered in private."""
        deadline = time.monotonic() + ACKED_TIMEOUT
        while self.outsider and not self.outsider.is_idle and time.monotonic() < deadline:
            self.outsider.read_replies()
            time.sleep(POLL_INTERVAL)
        sent = self.outsider.sent_commands if self.outsider else []
        self.violations += invariants.each_command_answered_once(sent, {})

    def _check_channel(self) -> None:
        self._check_outsider()
        self.violations += invariants.each_command_answered_once(self.users.sent_commands, self.users.runs)
        self.violations += [
            f"internal error in run {run.run}" for run in self.users.runs.values() if INTERNAL_ERROR_TEXT in run.text
        ]
        self.violations += invariants.no_duplicate_posts(self.targets.workspace.visible_messages(ALICE, OPS))

    def _check_audit_log(self) -> None:
        """Check that the audit log is valid, and that no secret is in Redis, in a log, or in the channel."""
        redis = self.targets.processes.redis
        self.violations += [f"audit log: {problem}" for problem in verify(AuditLog(redis).entries())]
        channel_text = "\n".join(str(visible.raw) for visible in self.targets.workspace.visible_messages(ALICE, OPS))
        log = self.targets.processes.processes.log.read_text(errors="replace")
        for place, text in (("Redis", dump_redis(redis)), ("a log", log), ("the channel", channel_text)):
            self.violations += [f"a secret is in {place}: {secret}" for secret in find_leaks(self.secrets, text)]


def run_chaos(
    number: int,
    seed: int,
    hosts: int,
    log: Path,
    fault_interval: tuple[float, float] = FAULT_INTERVAL,
    say: Say = print,
) -> int:
    """Run `number` faults and return the exit status.

    `hosts` is the size of a generation, `log` the file for Imker's log, `fault_interval` the seconds between faults.
    """
    started_at = time.monotonic()
    say(f"{number} faults, SEED={seed}, {hosts} simulated hosts; Imker's log: {log}")
    with start_world(select_hosts((), hosts), log, config=CONFIG) as targets:
        users = SimulatedUsers(targets.workspace, say=say, rng=random.Random(seed))
        chaos_run = ChaosRun(targets, users, seed, fault_interval, say)
        chaos_run.outsider = Outsider(targets.workspace, random.Random(seed), say=say)
        chaos_run.run(lambda: chaos_run.inject_faults(choose_faults(number, seed)))
    say(render_table(chaos_run.hits, chaos_run.users.runs))
    say(_summary(chaos_run, time.monotonic() - started_at))
    for line in chaos_run.violations:
        say(f"VIOLATED: {line}")
    return 1 if chaos_run.violations else 0


def _summary(chaos_run: ChaosRun, seconds: float) -> str:
    runs: list[ObservedRun] = list(chaos_run.users.runs.values())
    ends = {outcome: sum(run.outcome == outcome for run in runs) for outcome in ("done", "refused", "failed", "lost")}
    acked = sum(sent.acked for sent in chaos_run.users.sent_commands)
    duration = f"{seconds:.0f} s, {chaos_run.generations} generations of hosts"
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in ends.items())
    notes = "".join(f"\nnote: {line}" for line in chaos_run.targets.processes.unexpected_exits)
    counts = f"{acked} commands acknowledged, {len(runs)} runs: {outcomes}"
    return f"{notes}\n{counts}. {duration}. {len(chaos_run.violations)} violations."
