"""Run the bot, the reconciler, and the RQ workers as processes, with a real Redis and the fake Slack.

There are no hosts: the inventory has loopback addresses where nothing answers, unless a test opens a port there.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol import events
from imker.protocol.events import EventBody
from imker.signing import SigningKey
from jobs.events.writer import EventWriter
from lab.fleet.certificates import create_authority, issue_certificate
from lab.processes import Processes, imker_environment
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import free_port, run_fake_slack
from tests.support import embedded_redis, streams
from tests.support.redis_server import RedisServer

ALICE, BOB, CAROL, GUEST, OPS, DEV = "U01ALICE", "U02BOB", "U03CAROL", "U04GUEST", "C01OPS", "C02DEV"
PATIENCE = 60  # seconds that a test waits for what it does not measure: other tests use the processors as well
CANARIES = {  # keys of the environment, told apart from all else
    "IMKER_AUDIT_KEY": "canary-audit-key-3f9a71",
    "IMKER_SIGNING_KEY": "canary-signing-key-8c2e40-0123456789abcdef",
    "SLACK_SIGNING_SECRET": "canary-signing-secret-b7d15f",
}
CONFIG = """
[slack]
channels = ["C01OPS"]
per_minute = 1000
[rights]
read = ["*"]
change = ["U01ALICE"]
accept = ["U01ALICE", "S01OPS"]
[inventory]
known_hosts = "{folder}/known_hosts"
"""
HOST_CONFIG = """
[hosts.{name}]
address = "127.0.0.1"
ssh_user = "geschke"
ssh_key = "{folder}/key"
tls = "{folder}"
ssh_port = {port}
role = "{role}"
"""


@dataclass
class Flow:
    workspace: Workspace
    processes: Processes
    redis: Redis
    port: int  # of kaditz's SSH, where nothing listens unless a test does
    key: SigningKey  # what the bot signs with

    def send_command(
        self, text: str, until: str | Callable[[VisibleMessage], bool], user: str = ALICE, seconds: float = PATIENCE
    ) -> VisibleMessage:
        """Type a command and return the first later message outside threads, so no alert, that `until` accepts."""
        before = max((message.ts for message in self.workspace.visible_messages(user, OPS)), default="")
        assert self.workspace.say(user, OPS, text)["acked"]

        def fits(message: VisibleMessage) -> bool:
            texts = f"{message.text}\n{message.plain_text}"
            return not message.thread_ts and (until in texts if isinstance(until, str) else until(message))

        return self.workspace.wait_for_message(user, OPS, fits, seconds, after=before)

    def wait_until(self, true: Callable[[], bool]) -> None:
        _wait_until(true, self.processes.log)

    def event_writer(self, run: str, job: int = 1) -> EventWriter:
        return EventWriter(self.redis, self.key, run, job, time.time)

    def emit(self, run: str, *bodies: EventBody, job: int = 1) -> None:
        journal = self.event_writer(run, job)
        for body in bodies:
            journal.emit(body)

    def run_id_of(self, message: VisibleMessage) -> str:
        return message.plain_text.split("run `")[1].split("`")[0]

    def events(self, run: str) -> list[events.Event]:
        return list(streams.read_events(self.redis, run, self.key))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imker-f-") as name:
        yield Path(name)
        embedded_redis.wait_until_ended(Path(name) / "redis")


@pytest.fixture(scope="module")
def everything(folder: Path) -> Iterator[Flow]:
    """Start the fake Slack, the bot, and the reconciler. Each test starts the RQ workers it needs."""
    port = free_port()
    config = _write_config(folder, port)
    with ExitStack() as stack:
        workspace = stack.enter_context(run_fake_slack())
        processes = Processes(
            {**imker_environment(workspace.url, config, folder / "redis"), **CANARIES}, folder / "log"
        )
        stack.callback(processes.stop)
        processes.start("bot")
        processes.start("reconciler")
        _wait_until(lambda: workspace.connection_count() > 0, folder / "log")
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        yield Flow(workspace, processes, redis, port, SigningKey(CANARIES["IMKER_SIGNING_KEY"]))


@contextmanager
def run_flow(folder: Path, server: RedisServer, names: Iterable[str]) -> Iterator[Flow]:
    """Start the fake Slack and these processes with a Redis server that the test may break."""
    port = free_port()
    config = _write_config(folder, port)
    with ExitStack() as stack:
        workspace = stack.enter_context(run_fake_slack())
        environment = {**imker_environment(workspace.url, config, folder / "redis"), **CANARIES}
        processes = Processes({**environment, "REDIS_URL": server.url}, folder / "log")
        stack.callback(processes.stop)
        for name in names:
            processes.start(name)
        _wait_until(lambda: workspace.connection_count() > 0, folder / "log")
        yield Flow(workspace, processes, server.redis, port, SigningKey(CANARIES["IMKER_SIGNING_KEY"]))


@pytest.fixture
def flow(everything: Flow) -> Iterator[Flow]:
    yield everything
    everything.workspace.clear_faults()
    everything.redis.delete("rq:workers")
    for name in ("changes", "reads"):
        if name in everything.processes.by_name:
            everything.processes.kill(name)


@pytest.fixture
def workers(flow: Flow, folder: Path) -> Flow:
    """Start both RQ workers with empty queues and wait until they are idle."""
    for name in ("changes", "reads"):
        flow.redis.delete(f"rq:queue:{name}")
        flow.processes.start(name)
    _wait_until(lambda: _idle_worker_count(flow.redis) >= 3, folder / "log")
    return flow


def _idle_worker_count(redis: Redis) -> int:
    """Count the idle RQ workers of this Redis: 2 of `changes` and 1 of `reads` when all are idle."""
    return sum(redis.hget(name, "state") == b"idle" for name in redis.smembers("rq:workers"))


def _write_config(folder: Path, port: int) -> Path:
    ca = create_authority("test")
    client = issue_certificate(ca, "client")
    for name, text in (
        ("ca.pem", ca.pem),
        ("cert.pem", client.pem),
        ("key.pem", client.key_pem),
        ("key", client.key_pem),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "known_hosts").touch()
    roles = {"connewitz": "manager", "tondi": "manager", "kaditz": "manager", "lausen": "worker"}
    hosts = "".join(HOST_CONFIG.format(name=name, folder=folder, port=port, role=role) for name, role in roles.items())
    config = folder / "imker.toml"
    config.write_text(CONFIG.format(folder=folder) + hosts)
    return config


def _wait_until(true: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
