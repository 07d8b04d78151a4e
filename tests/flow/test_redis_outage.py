"""A Redis that takes nothing, is away, or has lost all: refused in words, nothing half done, and then it goes on."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imker.signing import Key
from lab.imker import Processes, environment
from lab.slack.running import free_port
from lab.slack.running import running as slack_running
from tests.flow import redis_server
from tests.flow.conftest import CANARIES, Flow, _await, _configured, _idle
from tests.flow.redis_server import Server

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
        _await(lambda: workspace.sockets() > 0 and _idle(server.redis) >= 2, folder / "log")
        yield Flow(workspace, processes, server.redis, port, Key(CANARIES["IMKER_SIGNING_KEY"]))


def works(flow: Flow) -> None:
    """A command goes all the way round."""
    assert "4 without an answer" in flow.asked("/swarm hosts", "without an answer", seconds=30).plain


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
    before = time.monotonic()
    refused = flow.asked("/swarm migrate kaditz", f"Not started: {says}")
    assert refused.ephemeral
    print("REFUSED", says, time.monotonic() - before)
    heals(server)
    before = time.monotonic()
    works(flow)
    print("WORKS", says, time.monotonic() - before)
    assert flow.redis.zcard("bot:recent") == kept + 1
    assert flow.redis.scard("bot:inbox") == 0
    assert {name: process.pid for name, process in flow.processes.running.items() if process.poll() is None} == pids


def test_zz_log(folder: Path) -> None:
    Path("/tmp/o.log").write_text((folder / "log").read_text())
