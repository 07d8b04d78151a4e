"""Replace the signing key while a run waits: the run continues, and what follows is signed with the new key."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.values import Candidate, Quorum
from imker.signing import SigningKey
from lab.processes import Processes, imker_environment
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import ALICE, BOB, OPS, PATIENCE, Flow, _write_config

OLD, NEW = "old-" * 16, "new-" * 16
WAITING = DecisionRequested(
    "accept",
    "f00d",
    Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "127.0.0.1", "kaditz", "26.1.5"),
    Quorum(2, 0, 3, 1),
)


@pytest.fixture
def flow(folder: Path) -> Iterator[Flow]:
    port = free_port()
    with ExitStack() as stack:
        workspace = stack.enter_context(run_fake_slack())
        environment = imker_environment(workspace.url, _write_config(folder, port), folder / "redis")
        processes = Processes({**environment, "IMKER_SIGNING_KEY": OLD}, folder / "log")
        stack.callback(processes.stop)
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        yield Flow(workspace, processes, redis, port, SigningKey(OLD))


def start_bot(flow: Flow) -> None:
    """Start the bot and the reconciler, and wait for a connection of this bot."""
    flow.wait_until(lambda: flow.workspace.connection_count() == 0)
    flow.processes.start("bot")
    flow.processes.start("reconciler")
    flow.wait_until(lambda: flow.workspace.connection_count() > 0)


def test_a_run_signed_with_the_old_key_continues(flow: Flow) -> None:
    start_bot(flow)
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    flow.emit(run, JobStarted("kaditz"), WAITING)
    flow.workspace.wait_for_message(BOB, OPS, lambda visible: visible.ts == message.ts and "Accept" in visible.buttons)

    flow.processes.stop()
    flow.processes.environment = {**flow.processes.environment, "IMKER_SIGNING_KEY": f"{NEW},{OLD}"}
    start_bot(flow)
    flow.redis.delete("rq:queue:changes")  # the first job, in whose place this test has emitted
    flow.processes.start("changes")

    waiting = flow.workspace.wait_for_message(BOB, OPS, lambda visible: visible.ts == message.ts)
    flow.workspace.press(BOB, waiting, "Accept")
    flow.key = SigningKey(NEW, OLD)
    flow.wait_until(lambda: isinstance(flow.events(run)[-1].body, JobFinished))
    assert [event.job for event in flow.events(run)][:3] == [1, 1, 2]
    flow.key = SigningKey(NEW)
    assert {event.job for event in flow.events(run)} == {2}
    visible = flow.workspace.wait_for_message(
        ALICE, OPS, lambda current: current.ts == message.ts and "no pending node" in current.text, PATIENCE
    )
    assert "signature" not in visible.plain_text
