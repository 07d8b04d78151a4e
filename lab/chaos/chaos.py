"""`make chaos`: so many random faults while people go on working; then what happened is checked. Exit status 1 if it
went against an invariant.

A generation of hosts, of Engines of three ages, goes into swarm mode; when all are in, the next begins anew, until the
faults are used up. Then everything is let heal, and the last generation has to arrive as well.
"""

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imker.audit import Audit
from imker.chain import verify
from lab.canaries import found, held_by
from lab.chaos import invariants
from lab.chaos.faults import FAULTS, Targets, chosen, waiting
from lab.chaos.people import People, Run
from lab.chaos.processes import Supervised
from lab.chaos.report import Hit, table
from lab.fleet.hosts import LabHost
from lab.imker import Processes, environment
from lab.simulated.dialect import Age, Pace
from lab.simulated.fleet import Fleet, named
from lab.simulated.fleet import running as hosts_running
from lab.simulated.machine import CONFFILE
from lab.slack.client import Workspace
from lab.slack.running import running as slack_running
from lab.story import ALICE, OPS

PACE = Pace(upgrade=1.5, restart=0.1, boot=1.0, join=0.1, join_patience=2.0)
AGES: tuple[Age, ...] = ("2016", "classic", "rc")  # one host's Engine after the other's
APART = (0.4, 2.0)  # seconds between two faults
HEALING = 240.0  # seconds after the last fault in which all has to be over
BROKE = "Imker itself broke"
LOOK = 0.3  # seconds between people's looks at the channel
Say = Callable[[str], None]


@dataclass
class Chaos:
    """A world that breaks: what is in it, and what is kept of it for the checks."""

    targets: Targets
    people: People
    seed: int
    apart: tuple[float, float]
    say: Say
    secrets: set[str] = field(default_factory=lambda: {"xoxb-lab", "xapp-lab"})
    hits: list[Hit] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    generations: int = 1
    _calm: threading.Lock = field(default_factory=threading.Lock)  # held while there is a new generation to be made

    def play(self, breaking: Callable[[], None]) -> None:
        """Until `breaking`, beside people's doings, has broken all it has to break, and all has healed."""
        breaker = threading.Thread(target=breaking, name="faults")
        self._plant()
        self.people.begin(self.targets.fleet.hosts)
        breaker.start()
        while breaker.is_alive():
            self._look()
            if self.people.quiet:
                self._new_generation()
        self._left_over()
        self._heal()
        self._again()
        self._check_hosts()
        self._check_channel()
        self._check_record()

    def break_(self, names: Sequence[str]) -> None:
        """Fault after fault; one that finds nothing to hit gives way to the next that does."""
        chance = random.Random(self.seed)
        for number, name in enumerate(names, 1):
            time.sleep(chance.uniform(*self.apart))
            with self._calm:
                order = [name, *chance.sample(list(FAULTS), len(FAULTS))]
                hit = next((kind, what) for kind in order if (what := FAULTS[kind](self.targets, chance)))
                self.hits.append(Hit(*hit, time.monotonic(), self._disturbed(hit[1])))
            self.say(f"{number:4}  {hit[0]:<31} {hit[1]}")

    def _disturbed(self, what: str) -> tuple[str, ...]:
        hosts = set(what.split(", ")) & set(self.targets.fleet.world.machines)
        return tuple(run.run for run in self.people.under_way() if not hosts or run.host in hosts)

    def _left_over(self) -> None:
        """Of Slack's faults, what nobody came to has hit nothing."""
        for kind in waiting(self.targets.workspace):
            last = next((hit for hit in reversed(self.hits) if hit.fault == kind), None)
            if last:
                self.hits.remove(last)
        self.targets.workspace.clear_faults()

    def _plant(self) -> None:
        """Secrets where hosts have some, for Imker not to pass on."""
        for machine in self.targets.fleet.world.machines.values():
            canary = f"canary-{machine.name}-{self.generations}"
            self.secrets.add(canary)
            text = machine.disk.texts[CONFFILE]
            machine.disk.write(CONFFILE, f'{text}export http_proxy="http://imker:{canary}@127.0.0.1:3128/"\n')

    def _look(self) -> None:
        self.people.look()
        time.sleep(LOOK)

    def _new_generation(self) -> None:
        with self._calm:
            self._check_hosts()
            self.targets.fleet.reset(AGES[self.generations % len(AGES) :] + AGES[: self.generations % len(AGES)])
            self.generations += 1
            self._plant()
        self.people.begin(self.targets.fleet.hosts)

    def _heal(self) -> None:
        deadline = time.monotonic() + HEALING
        while not self.people.quiet and time.monotonic() < deadline:
            self._look()
        if self.people.left:
            self.wrong.append(f"not in the swarm in the end: {', '.join(host.name for host in self.people.left)}")
        if not self.targets.fleet.world.swarm.nodes.quorum():
            self.wrong.append("no quorum in the end")

    def _again(self) -> None:
        """All is asked for once more, twice: the first time, the store may be stopped, as all are in now."""
        history, before = self.targets.fleet.world.history, 0
        for _ in range(2):
            before = len(invariants.changes(history.deeds()))
            self.people.begin(self.targets.fleet.hosts)
            self._heal()
        self.wrong += invariants.again_is_nothing(history.deeds(), before)

    def _check_hosts(self) -> None:
        world = self.targets.fleet.world
        deeds = world.history.deeds()
        self.wrong += invariants.one_at_a_time(deeds) + invariants.nothing_twice(deeds)
        self.wrong += invariants.fence_never_goes_down(deeds)
        self.wrong += invariants.no_manager_unasked(deeds, self.people.accepted)
        self.wrong += [f"not understood by a host: {line}" for line in world.history.unknown]
        self.secrets |= set(world.swarm.tokens.values())

    def _check_channel(self) -> None:
        self.wrong += invariants.one_answer_each(self.people.asked, self.people.runs)
        self.wrong += [f"Imker broke: run {run.run}" for run in self.people.runs.values() if BROKE in run.text]
        self.wrong += invariants.no_doubled_posts(self.targets.workspace.sees(ALICE, OPS))

    def _check_record(self) -> None:
        """The record is whole, and no secret is in Redis, in a log or in the channel."""
        redis = self.targets.processes.redis
        self.wrong += [f"the record: {problem}" for problem in verify(Audit(redis).entries())]
        said = "\n".join(str(seen.raw) for seen in self.targets.workspace.sees(ALICE, OPS))
        log = self.targets.processes.processes.log.read_text(errors="replace")
        for where, text in (("Redis", held_by(redis)), ("a log", log), ("the channel", said)):
            self.wrong += [f"a secret is in {where}: {secret}" for secret in found(self.secrets, text)]


def chaos(number: int, seed: int, hosts: int, log: Path, apart: tuple[float, float] = APART, say: Say = print) -> int:
    """`log`: where Imker's processes write; `hosts`: how many a generation has; `apart`: seconds between faults."""
    began = time.monotonic()
    say(f"{number} faults, SEED={seed}, {hosts} simulated hosts; Imker's log: {log}")
    with world(named((), hosts), log) as targets:
        played = Chaos(targets, People(targets.workspace, say=say), seed, apart, say)
        played.play(lambda: played.break_(chosen(number, seed)))
    say(table(played.hits, played.people.runs))
    say(_summary(played, time.monotonic() - began))
    for line in played.wrong:
        say(f"VIOLATED: {line}")
    return 1 if played.wrong else 0


def _summary(played: Chaos, seconds: float) -> str:
    runs: list[Run] = list(played.people.runs.values())
    ends = {outcome: sum(run.outcome == outcome for run in runs) for outcome in ("done", "refused", "failed", "lost")}
    acked = sum(asked.acked for asked in played.people.asked)
    took = f"{seconds:.0f} s, {played.generations} generations of hosts"
    words = ", ".join(f"{count} {outcome}" for outcome, count in ends.items())
    alone = "".join(f"\nnote: {line}" for line in played.targets.processes.by_itself)
    return f"{alone}\n{acked} commands acknowledged, {len(runs)} runs: {words}. {took}. {len(played.wrong)} violations."


@contextmanager
def world(
    hosts: Iterable[LabHost], log: Path, pace: Pace = PACE, config: str = "", more: Mapping[str, str] | None = None
) -> Iterator[Targets]:
    """`config`: what stands in imker.toml besides; `more`: of the processes' environment."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-c-")))
        fleet: Fleet = stack.enter_context(hosts_running(hosts, folder / "client", pace, *AGES))
        with (folder / "client/imker.toml").open("a") as file:
            file.write(config)
        workspace: Workspace = stack.enter_context(slack_running())
        settings = environment(workspace.url, folder / "client/imker.toml", folder / "redis")
        supervised = Supervised(Processes({**settings, **(more or {})}, log), folder / "redis")
        stack.callback(supervised.stop)
        supervised.start()
        deadline = time.monotonic() + 30
        while not workspace.sockets():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the bot did not connect; see {log}")
            time.sleep(0.1)
        yield Targets(supervised, workspace, fleet)
