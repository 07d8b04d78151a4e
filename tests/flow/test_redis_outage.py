"""A Redis that takes nothing, is away, or has lost all: refused in words, nothing half done, and then it goes on."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imker.signing import Key
from jobs import contract
from lab.imker import Processes, environment
from lab.slack.running import free_port
from lab.slack.running import running as slack_running
from tests.figures import figure
from tests.flow import redis_server
from tests.flow.conftest import ALICE, CANARIES, OPS, Flow, _await, _configured, _idle
from tests.flow.redis_server import Server

AWAY, LONGER = 6.0, 9.0  # seconds; an RQ worker speaks to Redis every five
Broken = Callable[[Server], None]


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with redis_server.running(folder / "own") as server:
        yield server


@pytest.fixture(scope="module")
def flow(folder: Path, server: Server) -> Iterator[Flow]:
    """All four processes, with a Redis of the test's own."""
    port = free_port()
    config = _configured(folder, port)
    with ExitStack() as stack:
        workspace = stack.enter_context(slack_running())
        told = {**environment(workspace.url, config, folder / "redis"), **CANARIES, "REDIS_URL": server.url}
        processes = Processes(told, folder / "log")
        stack.callback(processes.stop)
        for name in ("bot", "reporter", "changes", "reads"):
            processes.start(name)
        _await(lambda: workspace.sockets() > 0 and _idle(server.redis) >= 3, folder / "log")
        yield Flow(workspace, processes, server.redis, port, Key(CANARIES["IMKER_SIGNING_KEY"]))


def works(flow: Flow, seconds: float = 30) -> None:
    """A command goes all the way round."""
    assert "4 without an answer" in flow.asked("/swarm hosts", "without an answer", seconds=seconds).plain


STATES: list[tuple[str, Broken, Broken]] = [
    ("Redis is full: its maxmemory is reached", Server.fill_memory, Server.make_room),
    ("Redis is read-only: it is another's replica", Server.replicate, Server.lead),
    ("Redis has too few replicas to take anything", Server.miss_replicas, Server.need_none),
    ("Redis cannot write to its disk; it may be full", Server.fill_disk, Server.empty_disk),
    ("Redis does not answer", Server.kill, Server.start),
]


@pytest.mark.parametrize(("says", "breaks", "heals"), STATES, ids=[says for says, _, _ in STATES])
def test_a_command_is_refused_in_words_and_nothing_is_half_begun(
    flow: Flow, server: Server, says: str, breaks: Broken, heals: Broken
) -> None:
    kept = flow.redis.zcard("bot:recent")
    pids = {name: process.pid for name, process in flow.processes.running.items()}
    breaks(server)
    refused = flow.asked("/swarm migrate kaditz", f"Not started: {says}")
    assert refused.ephemeral
    heals(server)
    works(flow)
    assert flow.redis.zcard("bot:recent") == kept + 1
    assert flow.redis.scard("bot:inbox") == 0
    assert {name: process.pid for name, process in flow.processes.running.items() if process.poll() is None} == pids


@pytest.mark.figures
def test_after_it_was_away_all_works_within_thirty_seconds(flow: Flow, server: Server) -> None:
    """The longer the RQ workers wait for it in vain, the longer RQ itself would let them sleep."""
    server.kill()
    time.sleep(AWAY)
    server.start()
    began = time.monotonic()
    while True:
        try:
            works(flow, 5)
            break
        except TimeoutError:
            assert time.monotonic() - began < 30
    figure(
        "Redis back -> a command goes all the way round", f"{time.monotonic() - began:.1f} s, after {AWAY:.0f} s away"
    )


def test_a_job_outlives_a_redis_that_is_away(flow: Flow, server: Server) -> None:
    """It waits for a host meanwhile, and tells how that ended when Redis is back; its RQ worker waits as well."""
    with socket.create_server(("127.0.0.1", flow.port)) as silent:
        message = flow.asked("/swarm migrate kaditz", "looking at what is true")
        connection, _ = silent.accept()
        server.kill()
        time.sleep(LONGER)
        server.start()
        connection.close()
    ended = flow.workspace.wait(
        ALICE, OPS, lambda seen: seen.ts == message.ts and bool(re.match("[❌❓]", seen.text)), 60
    )
    assert "does not answer over SSH" in ended.plain


def test_wiped_under_a_run_it_is_said_and_nobody_stumbles(flow: Flow, folder: Path) -> None:
    pids = {name: process.pid for name, process in flow.processes.running.items()}
    before = len((folder / "log").read_text())
    with socket.create_server(("127.0.0.1", flow.port)) as silent:
        message = flow.asked("/swarm migrate kaditz", "looking at what is true")
        connection, _ = silent.accept()
        waiting = flow.asked("/swarm migrate lausen", "queued")
        flow.redis.flushall()
        for lost in (message, waiting):
            told = flow.workspace.wait(
                ALICE, OPS, lambda seen, ts=lost.ts: seen.ts == ts and "has lost its data" in seen.plain
            )
            assert "/swarm migrate" in told.plain
            assert told.buttons == []
        connection.close()
    works(flow)
    flow.await_true(lambda: flow.redis.scard("rq:workers") >= 2)
    assert flow.redis.get(contract.INVENTORY)
    posts = [seen for seen in flow.workspace.sees(ALICE, OPS) if flow.run_of(message) in seen.plain]
    assert len(posts) == 1
    assert not re.findall(r"^Traceback|^ERROR rq|\"exception\":", (folder / "log").read_text()[before:], re.MULTILINE)
    assert {name: process.pid for name, process in flow.processes.running.items() if process.poll() is None} == pids
