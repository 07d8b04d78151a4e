"""Run with a Redis that rejects writes, is down, or lost its data: commands get a reply, and Imker recovers."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imker.protocol import version
from imker.signing import SigningKey
from lab.processes import Processes, imker_environment
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import ALICE, CANARIES, OPS, Flow, _idle_worker_count, _wait_until, _write_config
from tests.support import redis_server
from tests.support.figures import record_figure
from tests.support.redis_server import RedisServer

OUTAGE, LONG_OUTAGE = 6.0, 9.0  # seconds; an RQ worker sends a heartbeat every five
ServerFault = Callable[[RedisServer], None]


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[RedisServer]:
    with redis_server.run_redis(folder / "own") as server:
        yield server


@pytest.fixture(scope="module")
def flow(folder: Path, server: RedisServer) -> Iterator[Flow]:
    """Start all four processes with a Redis server of this test."""
    port = free_port()
    config = _write_config(folder, port)
    with ExitStack() as stack:
        workspace = stack.enter_context(run_fake_slack())
        environment = {
            **imker_environment(workspace.url, config, folder / "redis"),
            **CANARIES,
            "REDIS_URL": server.url,
        }
        processes = Processes(environment, folder / "log")
        stack.callback(processes.stop)
        for name in ("bot", "reconciler", "changes", "reads"):
            processes.start(name)
        _wait_until(lambda: workspace.connection_count() > 0 and _idle_worker_count(server.redis) >= 3, folder / "log")
        yield Flow(workspace, processes, server.redis, port, SigningKey(CANARIES["IMKER_SIGNING_KEY"]))


def assert_works(flow: Flow, seconds: float = 30) -> None:
    """Assert that a command is handled from Slack to the RQ workers and back."""
    assert "4 unreachable" in flow.send_command("/swarm hosts", "unreachable", seconds=seconds).plain_text


STATES: list[tuple[str, ServerFault, ServerFault]] = [
    ("Redis is full: it has reached maxmemory", RedisServer.fill_memory, RedisServer.make_room),
    ("Redis is read-only: it is a replica", RedisServer.replicate, RedisServer.lead),
    ("Redis has too few replicas to accept writes", RedisServer.miss_replicas, RedisServer.need_none),
    ("Redis cannot write to its disk, which may be full", RedisServer.fill_disk, RedisServer.empty_disk),
    ("Redis is not responding", RedisServer.kill, RedisServer.start),
]


@pytest.mark.parametrize(("says", "inject", "repair"), STATES, ids=[says for says, _, _ in STATES])
def test_refuses_a_command_with_an_explanation_and_starts_nothing(
    flow: Flow, server: RedisServer, says: str, inject: ServerFault, repair: ServerFault
) -> None:
    recent_count = flow.redis.zcard("bot:recent")
    pids = {name: process.pid for name, process in flow.processes.by_name.items()}
    inject(server)
    refused = flow.send_command("/swarm migrate kaditz", f"Not started: {says}")
    assert refused.ephemeral
    repair(server)
    assert_works(flow)
    assert flow.redis.zcard("bot:recent") == recent_count + 1
    assert flow.redis.scard("bot:inbox") == 0
    assert {name: process.pid for name, process in flow.processes.by_name.items() if process.poll() is None} == pids


@pytest.mark.figures
def test_recovers_within_thirty_seconds_of_an_outage(flow: Flow, server: RedisServer) -> None:
    """RQ itself would back off longer the longer its workers wait."""
    server.kill()
    time.sleep(OUTAGE)
    server.start()
    began = time.monotonic()
    while True:
        try:
            assert_works(flow, 5)
            break
        except TimeoutError:
            assert time.monotonic() - began < 30
    record_figure(
        "Redis back, until a command completes", f"{time.monotonic() - began:.1f} s, after {OUTAGE:.0f} s down"
    )


def test_job_survives_a_redis_outage(flow: Flow, server: RedisServer) -> None:
    """The job waits for a host meanwhile and reports its outcome when Redis is back. Its RQ worker waits as well."""
    with socket.create_server(("127.0.0.1", flow.port)) as silent:
        message = flow.send_command("/swarm migrate kaditz", "inspecting the host")
        connection, _ = silent.accept()
        server.kill()
        time.sleep(LONG_OUTAGE)
        server.start()
        connection.close()
    ended = flow.workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.ts == message.ts and bool(re.match("[❌❓]", visible.text)), 60
    )
    assert "is unreachable over SSH" in ended.plain_text


def test_reports_a_run_that_redis_lost_and_keeps_running(flow: Flow, folder: Path) -> None:
    pids = {name: process.pid for name, process in flow.processes.by_name.items()}
    before = len((folder / "log").read_text())
    with socket.create_server(("127.0.0.1", flow.port)) as silent:
        message = flow.send_command("/swarm migrate kaditz", "inspecting the host")
        connection, _ = silent.accept()
        waiting = flow.send_command("/swarm migrate lausen", "queued")
        flow.redis.flushall()
        for lost_run in (message, waiting):
            lost_message = flow.workspace.wait_for_message(
                ALICE,
                OPS,
                lambda visible, ts=lost_run.ts: visible.ts == ts and "lost its data" in visible.plain_text,
            )
            assert "/swarm migrate" in lost_message.plain_text
            assert lost_message.buttons == []
        connection.close()
    assert_works(flow)
    flow.wait_until(lambda: flow.redis.scard("rq:workers") >= 2)
    assert flow.redis.get(version.INVENTORY_KEY)
    posts = [
        visible
        for visible in flow.workspace.visible_messages(ALICE, OPS)
        if flow.run_id_of(message) in visible.plain_text
    ]
    assert len(posts) == 1
    assert not re.findall(r"^Traceback|^ERROR rq|\"exception\":", (folder / "log").read_text()[before:], re.MULTILINE)
    assert {name: process.pid for name, process in flow.processes.by_name.items() if process.poll() is None} == pids
