"""Run all of Imker in this process: bots, reconcilers, and an RQ worker that can crash at any failpoint.

They use a real Redis, simulated hosts, and the fake Slack. Only Redis keeps state between two calls.
"""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot.handlers.audit import AuditRecorder
from bot.handlers.commands import CommandHandler
from bot.handlers.delivery import Delivery
from bot.listeners import private_replies
from bot.listeners.inbox import Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.reconciler.alerts import Alerts
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.loop import Reconciler
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.reconciler.revocation import Revocation
from bot.records import Choice
from bot.runs.store import RunStore
from bot.settings import File, Settings
from bot.slack.users import UserDirectory
from imker import clock, config, embedded_redis, failpoints
from imker.audit_log import AuditLog
from imker.clock import Timestamp
from imker.failpoints import Failpoint
from imker.protocol.commands import Request
from imker.signing import SigningKey
from jobs import run, settings
from jobs.connectors import engine
from jobs.context import JobContext
from jobs.events.writer import EventWriter
from jobs.execute import convergence, exclusive, restart
from jobs.inventory.hosts import load_inventory
from jobs.inventory.model import Host
from lab.simulated.fleet import Fleet
from lab.slack.client import VisibleMessage
from tests.support.in_memory_transports import ClockedSlackState, InMemoryShell, InMemorySlack, engine_client_factory

KEY = SigningKey("circle-" * 10)
OPS = "C01OPS"
_sleep, MAX_SLEEP = time.sleep, 0.003  # seconds: nothing here takes longer than that
LEASE_SECONDS = 30.0  # seconds, after which the locks of who died are free
CONVERGENCE_TIMEOUT = 0.2  # seconds that jobs wait for services: their tasks start at once, or not at all
START_TIMEOUT = 1  # seconds that an Engine has to answer after its restart: it does at once, or not at all
KillPoint = (
    tuple[Failpoint, int] | None
)  # where a process dies, when it has come there so many times before; None for never


class ProcessKilled(BaseException):
    """Stands for SIGKILL: a BaseException that no code on the way catches."""


@dataclass
class InProcessStack:
    redis: Redis
    fleet: Fleet
    patch: pytest.MonkeyPatch
    clock_offset: float = 0.0  # seconds that the test has moved the clock forward
    private_replies: dict[str, list[str]] = field(default_factory=dict)  # by delivery: what was answered to it alone
    acked_deliveries: dict[str, Delivery] = field(default_factory=dict)
    commands_until_cut: int | None = None  # commands until an SSH connection is lost
    orphaned_locks: dict[bytes, Any] = field(default_factory=dict)  # locks whose holder died
    lost_jobs: list[Job] = field(default_factory=list)  # jobs that died, and RQ does not know
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.redis.flushall()
        self.fleet.reset()
        loaded = settings.load_settings(self.fleet.folder / "imker.toml")
        run.publish_inventory(self.redis, KEY, load_inventory(loaded), loaded.rights)
        path = self.redis.connection_pool.connection_kwargs["path"]
        self.patch.setenv("REDIS_URL", f"unix://{path}?db=0")
        self.patch.setenv("IMKER_SIGNING_KEY", "circle-" * 10)
        self.patch.setattr(engine, "open_client", engine_client_factory(lambda: self.fleet.world.machines))
        self.patch.setattr(run, "_open_context", self._open_context)
        self.patch.setattr(time, "sleep", _short_sleep)
        self.patch.setattr(exclusive, "LOCK_TIMEOUT", 0)
        self.patch.setattr(exclusive, "REACHABLE_TIMEOUT", 0)
        self.patch.setattr(restart, "ANSWER_TIMEOUT", START_TIMEOUT)
        for name in ("STABLE", "STALLED", "STALLED_WITHOUT_REASON", "SILENT"):
            self.patch.setattr(convergence, name, CONVERGENCE_TIMEOUT)
        self.patch.setattr(private_replies, "WebhookClient", self._webhook)
        self.slack = InMemorySlack(ClockedSlackState(self.clock))
        self.bots, self.reconcilers = [self._bot(), self._bot()], [self._reconciler(), self._reconciler()]

    def clock(self) -> float:
        return time.time() + self.clock_offset

    def now(self) -> Timestamp:
        real = clock.take_timestamp()
        return replace(real, unix=real.unix + self.clock_offset, boot_seconds=real.boot_seconds + self.clock_offset)

    def advance_clock(self, seconds: float) -> None:
        """Advance the clock. Leases expire, and RQ notices dead workers."""
        self.clock_offset += seconds
        if seconds >= LEASE_SECONDS:
            self.expire_locks()

    def expire_locks(self) -> None:
        for key in self.orphaned_locks:
            self.redis.delete(key)
        for job in self.lost_jobs:
            job.set_status(JobStatus.FAILED)
        self.orphaned_locks, self.lost_jobs = {}, []

    # --- the processes: two bots and two reconcilers; each can be restarted ---

    @property
    def runs(self) -> RunStore:
        return RunStore(self.redis, self.clock, KEY, self.now)

    def _bot(self) -> DeliveryReceiver:
        settings = self._settings()
        people = UserDirectory(self.slack, settings.rights.groups)
        desk = CommandHandler(settings, self.runs, people, "T01IMKER", AuditLog(self.redis), lambda: ())
        return DeliveryReceiver(desk, Inbox(self.redis, KEY, self.clock), self.slack, RateLimiter(1000))

    def _settings(self) -> Settings:
        file = config.load_config(File, self.fleet.folder / "imker.toml")
        return Settings(
            bot_token=None, app_token=None, api_url="", redis_url=None,  # type: ignore[arg-type]
            channels=file.slack.channels, rights=file.rights, team="T01IMKER",
        )  # fmt: skip

    def restart_reconcilers(self) -> None:
        """Recreate the reconcilers with the current configuration."""
        self.reconcilers = [self._reconciler() for _ in self.reconcilers]

    def _reconciler(self) -> Reconciler:
        runs = self.runs
        witness = AuditCheckpoints(self.slack, AuditLog(self.redis), runs, OPS, self.clock)
        orphaned_messages = OrphanedMessages(self.slack, runs, (OPS,), self.clock)
        messages, minutes = Publisher(runs, self.slack, self.clock), AuditRecorder(AuditLog(self.redis))
        revocation = Revocation(self._settings(), self.slack, runs, minutes, self.clock, self.clock)
        stop = revocation.stop_if_revoked
        alerts = Alerts(self._settings(), self.slack, runs, lambda channel, user: True)
        return Reconciler(runs, messages, witness, orphaned_messages, alerts, self.clock, stop_if_revoked=stop)

    def deliver(self, delivery: Delivery, dies: KillPoint = None, which: int = 0) -> None:
        """Deliver an event to a bot as Slack does, and record whether it was acknowledged."""
        with self._killable(dies) as dead:

            def ack() -> None:
                if not dead:
                    self.acked_deliveries[delivery.delivery_id] = delivery

            self.bots[which].receive(delivery, ack)  # type: ignore[arg-type]
        if dead:
            self.bots[which] = self._bot()

    def recover(self, dies: KillPoint = None, which: int = 0) -> None:
        with self._killable(dies) as dead:
            self.bots[which].recover_abandoned()
        if dead:
            self.bots[which] = self._bot()

    def reconcile(self, dies: KillPoint = None, which: int = 0) -> None:
        with self._killable(dies) as dead:
            self.reconcilers[which].reconcile_all()
        if dead:
            self.reconcilers[which] = self._reconciler()

    def run_job(self, queue: str, dies: KillPoint = None, cut: int | None = None) -> bool:
        """Run the next job of the queue, if there is one. A killed job keeps its locks until they expire."""
        name: Any = self.redis.lpop(f"rq:queue:{queue}")
        if name is None:
            return False
        job = Job.fetch(name.decode(), self.redis, JSONSerializer)
        job.set_status(JobStatus.STARTED)
        self.commands_until_cut = cut
        with self._killable(dies) as dead:
            try:
                run.run(*job.args)
                job.set_status(JobStatus.FINISHED)
            except Exception:
                job.set_status(JobStatus.FAILED)
        self.commands_until_cut = None
        if dead:
            self.lost_jobs.append(job)
            for lock, holder in self.orphaned_locks.items():
                self.redis.set(lock, holder)
        return True

    def kill_redis(self) -> None:
        """Kill Redis with SIGKILL and wait until its keeper has restarted it."""
        os.kill(int(self.redis.info("server")["process_id"]), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while not self._redis_responds():
            assert time.monotonic() < deadline, "the keeper did not restart Redis within 20 s"
            time.sleep(0.02)
        # The keeper polls every POLL_INTERVAL seconds. A second kill before it has seen the answer would double its
        # pause before the next start, and a story that kills Redis eight times in a row would wait for 25 s.
        _sleep(2 * embedded_redis.POLL_INTERVAL)

    def _redis_responds(self) -> bool:
        with suppress(RedisError):
            return bool(self.redis.ping())
        return False

    # --- what people do and see ---

    def type_command(self, who: str, text: str) -> Delivery:
        return self._delivery("command", who, text)

    def press_button(self, who: str, message: VisibleMessage, value: str, button: str) -> Delivery:
        """Return the delivery of a click. `button`: a choice, or "next." and the name of a next step."""
        step = button.removeprefix("next.") if button.startswith("next.") else ""
        choice = None if step else cast(Choice, button)
        return replace(self._delivery("click", who, value), choice=choice, step=step, message_ts=message.ts)

    def visible_messages(self) -> list[VisibleMessage]:
        return [
            VisibleMessage(message.as_visible()) for message in self.slack.state.messages_visible_to("U01ALICE", OPS)
        ]

    def _delivery(self, kind: Any, who: str, text: str) -> Delivery:
        delivery_id = f"delivery.{next(self._numbers)}"
        return Delivery(kind, delivery_id, who, OPS, text, f"https://hooks.slack.com/{delivery_id}", self.clock())

    @contextmanager
    def _killable(self, dies: KillPoint) -> Iterator[list[Failpoint]]:
        """Raise ProcessKilled at the failpoint `dies`. Yield a list that is empty until then."""
        dead: list[Failpoint] = []
        came: list[Failpoint] = []

        def crossed(point: Failpoint) -> None:
            came.append(point)
            if dies == (point, came.count(point) - 1):
                dead.append(point)
                self.orphaned_locks |= {lock: self.redis.get(lock) for lock in self.redis.keys("lock:*")}
                raise ProcessKilled(point)

        failpoints.on_failpoint = crossed if dies is not None else None
        try:
            yield dead
        except ProcessKilled:
            pass
        finally:
            failpoints.on_failpoint = None

    def _open_context(self, request: Request, journal: EventWriter, server: Redis) -> JobContext:
        loaded = settings.load_settings(self.fleet.folder / "imker.toml")
        hosts = load_inventory(loaded)
        return JobContext(request, loaded, hosts, journal, server, self._shell, engine.Engine, self.now)

    def _shell(self, host: Host) -> InMemoryShell:
        return InMemoryShell(host, lambda: self.fleet.world.machines, self._is_cut_now)

    def _is_cut_now(self) -> bool:
        if self.commands_until_cut is None:
            return False
        self.commands_until_cut -= 1
        return self.commands_until_cut == 0

    def _webhook(self, url: str, **_: Any) -> Any:
        replies = self.private_replies.setdefault(url.removeprefix("https://hooks.slack.com/"), [])

        class Webhook:
            def send(self, text: str = "", **_: Any) -> None:
                replies.append(text)

        return Webhook()


def _short_sleep(seconds: float) -> None:
    _sleep(min(seconds, MAX_SLEEP))
