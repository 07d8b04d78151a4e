"""All of Imker in this process: a bot, a reporter and an RQ worker that can be killed at any point and are made anew,

over a real Redis, the lab's simulated hosts and its Slack. What the parts keep between two looks is in Redis alone.
"""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot import reception
from bot.desk import Desk
from bot.inbox import Delivery, Inbox
from bot.limit import Limit
from bot.messages import Messages
from bot.minutes import Minutes
from bot.past import Past
from bot.people import People
from bot.reception import Reception
from bot.record import Verdict
from bot.reporter import Reporter
from bot.revocation import Revocation
from bot.runs import Runs
from bot.settings import File, Settings
from bot.witness import Witness
from imker import config, fault, moment
from imker.audit import Audit
from imker.fault import Point
from imker.moment import Moment
from imker.signing import Key
from jobs import engine, inventory, run, settings, stepping
from jobs.contract import Request
from jobs.execute import restart
from jobs.inventory import Host
from jobs.journal import Journal
from jobs.office import Office
from lab.simulated.fleet import Fleet
from lab.slack.client import Seen
from tests.flow.wires import Clocked, Slack, Wire, client

KEY = Key("circle-" * 10)
OPS = "C01OPS"
_sleep, NAP = time.sleep, 0.003  # seconds: nothing here takes longer than that
LEASE = 30.0  # seconds, after which the locks of who died are free
START = 1  # seconds that an Engine has to answer after its restart: it does at once, or not at all
Deaths = tuple[Point, int] | None  # where a process dies, when it has come there so many times before; None for never


class Killed(BaseException):
    """As SIGKILL: nothing on the way takes it for an error."""


@dataclass
class Circle:
    redis: Redis
    fleet: Fleet
    patch: pytest.MonkeyPatch
    ahead: float = 0.0  # seconds that have passed besides
    private: dict[str, list[str]] = field(default_factory=dict)  # by delivery: what was answered to it alone
    acked: dict[str, Delivery] = field(default_factory=dict)
    cut_in: int | None = None  # commands until an SSH connection is lost
    left: dict[bytes, Any] = field(default_factory=dict)  # locks whose holder died
    missed: list[Job] = field(default_factory=list)  # jobs that died, and RQ does not know
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.redis.flushall()
        self.fleet.reset()
        loaded = settings.load(self.fleet.folder / "imker.toml")
        run.tell_hosts(self.redis, KEY, inventory.load(loaded), loaded.rights)
        path = self.redis.connection_pool.connection_kwargs["path"]
        self.patch.setenv("REDIS_URL", f"unix://{path}?db=0")
        self.patch.setenv("IMKER_SIGNING_KEY", "circle-" * 10)
        self.patch.setattr(engine, "_client", client(lambda: self.fleet.world.machines))
        self.patch.setattr(run, "_office", self._office)
        self.patch.setattr(time, "sleep", _nap)
        self.patch.setattr(stepping, "PATIENCE", 0)
        self.patch.setattr(restart, "WITHIN", START)
        self.patch.setattr(reception, "WebhookClient", self._webhook)
        self.slack = Slack(Clocked(self.clock))
        self.bots, self.reporters = [self._bot(), self._bot()], [self._reporter(), self._reporter()]

    def clock(self) -> float:
        return time.time() + self.ahead

    def now(self) -> Moment:
        real = moment.now()
        return replace(real, wall=real.wall + self.ahead, since=real.since + self.ahead)

    def passes(self, seconds: float) -> None:
        """Time. Leases end in it, and RQ workers that are gone are missed."""
        self.ahead += seconds
        if seconds >= LEASE:
            self.miss()

    def miss(self) -> None:
        for key in self.left:
            self.redis.delete(key)
        for job in self.missed:
            job.set_status(JobStatus.FAILED)
        self.left, self.missed = {}, []

    # --- the processes: two bots and two reporters, of which each may be made anew ---

    @property
    def runs(self) -> Runs:
        return Runs(self.redis, self.clock, KEY, self.now)

    def _bot(self) -> Reception:
        own = self._settings()
        people = People(self.slack, own.rights.groups)
        desk = Desk(own, self.runs, people, "T01IMKER", Audit(self.redis), lambda: ())
        return Reception(desk, Inbox(self.redis, KEY, self.clock), self.slack, Limit(1000))

    def _settings(self) -> Settings:
        file = config.load(File, self.fleet.folder / "imker.toml")
        return Settings(
            bot_token=None, app_token=None, api_url="", redis_url=None,  # type: ignore[arg-type]
            channels=file.slack.channels, rights=file.rights, team="T01IMKER",
        )  # fmt: skip

    def restart_reporters(self) -> None:
        """With the configuration as it is now."""
        self.reporters = [self._reporter() for _ in self.reporters]

    def _reporter(self) -> Reporter:
        runs = self.runs
        witness = Witness(self.slack, Audit(self.redis), runs, OPS, self.clock)
        past = Past(self.slack, runs, (OPS,), self.clock)
        messages, minutes = Messages(runs, self.slack, self.clock), Minutes(Audit(self.redis))
        revocation = Revocation(self._settings(), self.slack, runs, minutes, self.clock, self.clock)
        return Reporter(runs, messages, witness, past, self.clock, stops=revocation.stops)

    def deliver(self, delivery: Delivery, dies: Deaths = None, which: int = 0) -> None:
        """As Slack does, which hears of it or does not."""
        with self._mortal(dies) as dead:

            def ack() -> None:
                if not dead:
                    self.acked[delivery.id] = delivery

            self.bots[which].receive(delivery, ack)  # type: ignore[arg-type]
        if dead:
            self.bots[which] = self._bot()

    def catch_up(self, dies: Deaths = None, which: int = 0) -> None:
        with self._mortal(dies) as dead:
            self.bots[which].catch_up()
        if dead:
            self.bots[which] = self._bot()

    def report(self, dies: Deaths = None, which: int = 0) -> None:
        with self._mortal(dies) as dead:
            self.reporters[which].look()
        if dead:
            self.reporters[which] = self._reporter()

    def work(self, queue: str, dies: Deaths = None, cut: int | None = None) -> bool:
        """The next job, if there is one. One that is killed keeps its locks, and RQ knows nothing, for a while."""
        name: Any = self.redis.lpop(f"rq:queue:{queue}")
        if name is None:
            return False
        job = Job.fetch(name.decode(), self.redis, JSONSerializer)
        job.set_status(JobStatus.STARTED)
        self.cut_in = cut
        with self._mortal(dies) as dead:
            try:
                run.run(*job.args)
                job.set_status(JobStatus.FINISHED)
            except Exception:
                job.set_status(JobStatus.FAILED)
        self.cut_in = None
        if dead:
            self.missed.append(job)
            for lock, holder in self.left.items():
                self.redis.set(lock, holder)
        return True

    def kill_redis(self) -> None:
        """SIGKILL; its keeper starts it again."""
        os.kill(int(self.redis.info("server")["process_id"]), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.redis.ping()
                return
            except RedisError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    # --- what people do and see ---

    def types(self, who: str, text: str) -> Delivery:
        return self._delivery("command", who, text)

    def presses(self, who: str, seen: Seen, value: str, verdict: Verdict) -> Delivery:
        return replace(self._delivery("click", who, value), verdict=verdict, message=seen.ts)

    def sees(self) -> list[Seen]:
        return [Seen(message.as_seen()) for message in self.slack.state.seen_by("U01ALICE", OPS)]

    def _delivery(self, kind: Any, who: str, text: str) -> Delivery:
        known = f"delivery.{next(self._numbers)}"
        return Delivery(kind, known, who, OPS, text, f"https://hooks.slack.com/{known}", self.clock())

    @contextmanager
    def _mortal(self, dies: Deaths) -> Iterator[list[Point]]:
        """Whoever comes to the point dies there: no further word of theirs counts."""
        dead: list[Point] = []
        came: list[Point] = []

        def crossed(point: Point) -> None:
            came.append(point)
            if dies == (point, came.count(point) - 1):
                dead.append(point)
                self.left |= {lock: self.redis.get(lock) for lock in self.redis.keys("lock:*")}
                raise Killed(point)

        fault.crossed = crossed if dies is not None else None
        try:
            yield dead
        except Killed:
            pass
        finally:
            fault.crossed = None

    def _office(self, request: Request, journal: Journal, server: Redis) -> Office:
        loaded = settings.load(self.fleet.folder / "imker.toml")
        hosts = inventory.load(loaded)
        return Office(request, loaded, hosts, journal, server, self._shell, engine.Engine, self.now)

    def _shell(self, host: Host) -> Wire:
        return Wire(host, lambda: self.fleet.world.machines, self._cut)

    def _cut(self) -> bool:
        if self.cut_in is None:
            return False
        self.cut_in -= 1
        return self.cut_in == 0

    def _webhook(self, url: str) -> Any:
        heard = self.private.setdefault(url.removeprefix("https://hooks.slack.com/"), [])

        class Webhook:
            def send(self, text: str = "", **_: Any) -> None:
                heard.append(text)

        return Webhook()


def _nap(seconds: float) -> None:
    _sleep(min(seconds, NAP))
