"""Run two bots and two reconcilers side by side: each command runs once, each message appears once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.reconciler.leader_election import LEASE_SECONDS, RENEW_SECONDS
from imker.protocol.events import JobFinished, JobStarted
from lab.processes import Processes
from lab.slack.client import VisibleMessage
from tests.integration.conftest import ALICE, BOB, OPS, Flow, _wait_until
from tests.integration.test_acceptance import acceptance_question, until
from tests.support.figures import record_figure

DONE = JobFinished("unchanged", "nothing to do")


@pytest.fixture
def second(flow: Flow, folder: Path) -> Iterator[Processes]:
    """Start a second bot and a second reconciler after the first ones lead."""
    flow.wait_until(lambda: bool(flow.redis.get("bot:reconciler")))
    processes = Processes(flow.processes.environment, flow.processes.log)
    for name in ("bot", "reconciler"):
        if flow.processes.by_name[name].poll() is not None:
            flow.processes.start(name)
        processes.start(name)
    _wait_until(lambda: flow.workspace.connection_count() == 2, folder / "log")
    yield processes
    processes.stop()


def posts(flow: Flow, run: str) -> int:
    return sum(f"run `{run}`" in message.plain_text for message in flow.workspace.visible_messages(ALICE, OPS))


def test_starts_one_run_for_an_envelope_on_two_connections(flow: Flow, second: Processes) -> None:
    runs = flow.redis.zcard("bot:recent")
    for number in range(1, 6):
        flow.workspace.set_fault("repeat", method="socket")
        run = flow.run_id_of(flow.send_command("/swarm migrate tondi", "queued"))
        flow.emit(run, JobStarted("tondi"), DONE)
        flow.workspace.wait_for_message(
            ALICE, OPS, lambda message, run=run: run in message.plain_text and DONE.summary in message.plain_text
        )
        assert flow.redis.zcard("bot:recent") == runs + number
        assert posts(flow, run) == 1
        assert len(flow.redis.keys(f"rq:job:{run}-*")) == 1


def test_posts_once_when_slack_is_slower_than_the_lease(flow: Flow, second: Processes) -> None:
    """The first reconciler waits for Slack meanwhile. The second must not take over."""
    flow.workspace.set_fault("latency", method="chat.postMessage", seconds=LEASE_SECONDS + 1.5)
    run = flow.run_id_of(flow.send_command("/swarm migrate tondi", "queued", seconds=30))
    flow.emit(run, JobStarted("tondi"), DONE)
    flow.workspace.wait_for_message(
        ALICE, OPS, lambda message: run in message.plain_text and DONE.summary in message.plain_text, 30
    )
    assert posts(flow, run) == 1
    assert len([call for call in flow.workspace.calls("chat.postMessage") if run in str(call["arguments"])]) == 1


def test_a_question_alerts_once_if_a_reply_is_lost_and_the_leader_is_killed(flow: Flow, second: Processes) -> None:
    """The leader finds the alert whose reply was lost. The standby does not repeat it, and closes it."""
    message = flow.send_command("/swarm migrate kaditz", "queued", seconds=30)
    run, notified = flow.run_id_of(message), len(flow.workspace.notifications(BOB))
    flow.workspace.set_fault("drop_reply", method="chat.postMessage")
    flow.emit(run, JobStarted("kaditz"), acceptance_question())
    flow.wait_until(lambda: flow.redis.hexists(f"bot:run:{run}:posted", "alert:accept:1"))  # type: ignore[arg-type]
    assert [text[:1] for text in alerts(flow, message)] == ["✋"]
    flow.processes.kill("reconciler")
    try:
        flow.workspace.press(BOB, until(flow, message, "sees node"), "Accept")
        flow.wait_until(lambda: any("accepted by <@U02BOB>" in text for text in alerts(flow, message)))
        flow.emit(run, JobStarted("kaditz"), DONE, job=2)
        flow.wait_until(lambda: run.encode() not in flow.redis.smembers("bot:open"))  # type: ignore[operator]
        assert [text[:1] for text in alerts(flow, message)] == ["✅"]
        assert len(flow.workspace.notifications(BOB)) == notified + 1
    finally:
        flow.processes.start("reconciler")


def alerts(flow: Flow, message: VisibleMessage) -> list[str]:
    """Return the texts of the alerts in the thread of a run's message, without the audit log's checkpoints."""
    visible = flow.workspace.visible_messages(ALICE, OPS)
    replies = (reply.plain_text for reply in visible if reply.thread_ts == message.ts)
    return [text for text in replies if not text.startswith("📒")]


@pytest.mark.quiet
@pytest.mark.figures
def test_standby_processes_take_over_from_killed_ones(flow: Flow, second: Processes) -> None:
    for name in ("bot", "reconciler"):
        flow.processes.kill(name)
    began = time.monotonic()
    flow.wait_until(lambda: flow.workspace.say(ALICE, OPS, "/swarm migrate lausen")["acked"])
    record_figure("bot killed, until the other takes a command", f"{time.monotonic() - began:.1f} s")
    message = flow.workspace.wait_for_message(ALICE, OPS, "Migrate lausen", 30)
    record_figure("reconciler killed, until the other's first post", f"{time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < LEASE_SECONDS + RENEW_SECONDS + 5
    assert posts(flow, flow.run_id_of(message)) == 1
    for name in ("bot", "reconciler"):
        flow.processes.start(name)
    flow.wait_until(lambda: flow.workspace.connection_count() == 2)  # the embedded Redis ends with its last user
