"""Test that forms open within three seconds while Redis is down or hangs, and that nothing is lost then."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imker import signing
from imker.protocol import version
from imker.signing import SigningKey
from lab.processes import Processes, imker_environment
from lab.slack.plain_text import view_text
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import ALICE, BOB, CANARIES, Flow, _wait_until, _write_config
from tests.integration.test_acceptance import waiting_run
from tests.integration.test_forms import choose, modal_of, open_form, runs
from tests.support import redis_server
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.quiet  # a form has three seconds to open
ServerFault = Callable[[RedisServer], None]
FAULTS: dict[str, tuple[ServerFault, ServerFault]] = {
    "down": (RedisServer.kill, RedisServer.start),
    "hangs": (RedisServer.hang, RedisServer.go_on),
}
REPLIES = {"down": "Not started: Redis is not responding", "hangs": "not saved yet because Redis is slow"}


@pytest.fixture(autouse=True)
def _closed(flow: Flow) -> Iterator[None]:
    yield
    flow.workspace.close_modals(ALICE)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[RedisServer]:
    with redis_server.run_redis(folder / "own") as server:
        yield server


@pytest.fixture(scope="module")
def flow(folder: Path, server: RedisServer) -> Iterator[Flow]:
    """Start the bot and the reconciler with a Redis server of this test."""
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
        for name in ("bot", "reconciler"):
            processes.start(name)
        key = SigningKey(CANARIES["IMKER_SIGNING_KEY"])
        hosts = signing.sign_for(key, version.INVENTORY_KEY, json.dumps(["kaditz", "tondi"]))
        server.redis.set(version.INVENTORY_KEY, hosts)
        _wait_until(lambda: workspace.connection_count() > 0, folder / "log")
        time.sleep(12)  # the bot reads the inventory every ten seconds
        yield Flow(workspace, processes, server.redis, port, key)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_form_opens_with_the_hosts_that_are_known(flow: Flow, server: RedisServer, fault: str) -> None:
    inject, repair = FAULTS[fault]
    before = runs(flow)
    inject(server)
    try:
        for text in ("/swarm", ""):
            began = time.monotonic()
            view = open_form(flow, ALICE, text)
            assert time.monotonic() - began < 3
        view = choose(flow, ALICE, view, "plan")
        assert flow.workspace.search(ALICE, view, "host", "tondi") == ["tondi"]
        assert flow.workspace.fill_in(ALICE, view, command="plan", host="tondi")["acked"]
        flow.wait_until(lambda: REPLIES[fault] in view_text(modal_of(flow, ALICE)))
    finally:
        repair(server)
    flow.wait_until(lambda: flow.redis.ping())
    if fault == "down":
        assert runs(flow) == before
    else:
        flow.wait_until(lambda: len(runs(flow)) == len(before) + 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_reject_asks_for_the_reason_and_is_refused_when_it_cannot_be_saved(
    flow: Flow, server: RedisServer, fault: str
) -> None:
    inject, repair = FAULTS[fault]
    run, message = waiting_run(flow)
    inject(server)
    try:
        began = time.monotonic()
        flow.workspace.press(BOB, message, "Reject")
        form = modal_of(flow, BOB)
        assert time.monotonic() - began < 3
        assert "Reject the node as a manager?" in view_text(form)
        flow.workspace.close_view(BOB, form)
    finally:
        repair(server)
    flow.wait_until(lambda: flow.redis.ping())
    assert not flow.redis.exists(f"bot:run:{run}:decision:1")


def test_home_says_that_redis_is_down(flow: Flow, server: RedisServer) -> None:
    server.kill()
    try:
        flow.workspace.open_home(ALICE)
        flow.wait_until(lambda: "Redis does not respond" in view_text(flow.workspace.home(ALICE) or {"blocks": []}))
    finally:
        server.start()
    flow.workspace.open_home(ALICE)
    flow.wait_until(lambda: "What you may do" in view_text(flow.workspace.home(ALICE) or {"blocks": []}))
