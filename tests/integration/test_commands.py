"""Test commands end to end, from typing to the channel, with real Bolt, Redis, RQ, and slack_sdk."""

import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from imker.protocol.events import (
    DecisionRequested,
    JobFinished,
    JobStarted,
    Planned,
    StepDone,
    StepStarted,
    ThreadDetail,
)
from imker.protocol.values import Candidate, Quorum, StepLine
from tests.integration.conftest import ALICE, BOB, CAROL, DEV, GUEST, OPS, PATIENCE, Flow

NODE = "j8xsy2yb802b5ys0uvwhsouw1"
WAITING = DecisionRequested(
    "accept", "f00d", Candidate("kaditz", NODE, "198.18.0.39", "kaditz", "26.1.5"), Quorum(2, 0, 3, 1)
)
STEPS = (StepLine("JoinSwarm", "Join the swarm"), StepLine("WaitForReady", "Wait for the node to be Ready"))


def waiting_run(flow: Flow) -> tuple[str, object]:
    """Start a migration and emit its acceptance question, in place of the job."""
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    flow.emit(run, JobStarted("kaditz"), Planned(STEPS), StepStarted("JoinSwarm"), StepDone("JoinSwarm"), WAITING)
    return run, flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ts == message.ts and "Accept" in visible.buttons
    )


def private(flow: Flow, user: str, text: str) -> None:
    answer = flow.workspace.wait_for_message(
        user, OPS, lambda message: message.ephemeral and text in message.plain_text, PATIENCE
    )
    others = {"U01ALICE", "U02BOB", "U03CAROL"} - {user}
    for other in others:
        assert answer.ts not in {message.ts for message in flow.workspace.visible_messages(other, OPS)}, (
            "a private answer is private"
        )


# --- the circle ----------------------------------------------------------------------------------------------------


def test_lists_unreachable_hosts_in_the_table(workers: Flow) -> None:
    message = workers.send_command("/swarm hosts", "4 of 4 hosts are unreachable", user=CAROL)
    rows = [line for line in message.plain_text.splitlines() if "tcp://127.0.0.1:2376" in line]
    assert len(rows) == 4
    assert all("Unknown" in row and "is unreachable" in row for row in rows)
    assert "connewitz" in message.text, "the text says all, for those who see no blocks"


def test_accepts_a_command_as_a_mention(workers: Flow) -> None:
    assert "4 of 4 hosts are unreachable" in workers.send_command("hosts", "4 of 4 hosts are unreachable").plain_text


def test_reports_a_failed_migration_with_host_and_next_command(workers: Flow) -> None:
    message = workers.send_command("/swarm migrate kaditz", "Nothing was changed.")
    assert message.text.startswith("❌")
    assert "is unreachable over SSH" in message.plain_text
    assert "`kaditz` (127.0.0.1)" in message.plain_text
    assert "Nothing was changed." in message.plain_text
    assert "Check that the host is up" in message.plain_text
    assert f"/swarm retry {workers.run_id_of(message)}" in message.plain_text


def test_edits_one_message_and_posts_details_in_its_thread(flow: Flow) -> None:
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run, before = (
        flow.run_id_of(message),
        len([m for m in flow.workspace.visible_messages(ALICE, OPS) if not m.thread_ts]),
    )
    flow.emit(
        run,
        JobStarted("kaditz"),
        Planned(STEPS),
        StepStarted("JoinSwarm"),
        ThreadDetail("apt on kaditz", "Unpacking <!here>"),
    )
    visible = flow.workspace.wait_for_message(
        ALICE, OPS, lambda m: m.ts == message.ts and "[in_progress] Join the swarm" in m.plain_text
    )
    assert visible.raw["edited"]
    thread = flow.workspace.wait_for_message(ALICE, OPS, lambda m: m.thread_ts == message.ts)
    assert "Unpacking &lt;!here&gt;" in thread.plain_text
    assert len([m for m in flow.workspace.visible_messages(ALICE, OPS) if not m.thread_ts]) == before


# --- deciding ------------------------------------------------------------------------------------------------------


def test_rejects_self_approval_and_takes_one_decision(flow: Flow) -> None:
    run, message = waiting_run(flow)
    assert message.buttons == ["Accept", "Reject"]
    assert "3 managers (survives the loss of 1)" in message.plain_text
    flow.workspace.press(ALICE, message, "Accept")
    private(flow, ALICE, "someone else must accept it")
    flow.workspace.press(CAROL, message, "Accept")
    private(flow, CAROL, "(requires `accept`)")
    flow.workspace.press(BOB, message, "Accept")
    decided = flow.workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.ts == message.ts and "Accepted by" in visible.plain_text
    )
    assert decided.buttons == ["Cancel"], "the question is answered; the run can be stopped"
    text, signature = Job.fetch(f"{run}-2", flow.redis, JSONSerializer).args
    queued = json.loads(text)
    assert flow.key.verify(text, signature)
    assert queued["command"] == {"type": "accept", "node": NODE}
    assert [(approval["user"], approval["fingerprint"]) for approval in queued["approvals"]] == [(BOB, "f00d")]
    assert queued["allowed_hosts"] == ["kaditz"]


def test_takes_one_decision_from_concurrent_clicks_and_commands(flow: Flow) -> None:
    run, message = waiting_run(flow)

    def decide(number: int) -> None:
        if number % 2:
            flow.workspace.press(BOB, message, "Accept")
        else:  # the button opens a form first
            flow.workspace.say(BOB, OPS, f"/swarm reject {run}")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(decide, range(20)))
    flow.workspace.wait_for_message(BOB, OPS, "was already")
    time.sleep(1)
    assert len(flow.redis.keys(f"bot:run:{run}:decision:*")) == 1
    assert len(list(flow.redis.scan_iter(f"rq:job:{run}-*"))) == 2


def test_accepts_by_run_id_or_node_id(flow: Flow) -> None:
    for spell in (lambda run: run, lambda run: NODE[:6]):
        run, message = waiting_run(flow)
        flow.workspace.say(ALICE, OPS, f"/swarm accept {spell(run)}")
        private(flow, ALICE, "someone else must accept it")
        flow.workspace.say(BOB, OPS, f"/swarm accept {spell(run)}")
        flow.workspace.wait_for_message(
            BOB, OPS, lambda visible, ts=message.ts: visible.ts == ts and "Accepted by" in visible.plain_text
        )
        flow.emit(run, JobStarted(), JobFinished("done", "kaditz is a manager now."), job=2)
        flow.workspace.wait_for_message(
            BOB, OPS, lambda visible, ts=message.ts: visible.ts == ts and "is a manager now" in visible.plain_text
        )


def test_ignores_forged_and_foreign_buttons(flow: Flow) -> None:
    _, message = waiting_run(flow)
    for value in ("nosuchrun:1", "x", "", "k3fm9x2q:1 or 1=1", "../../x:1"):
        flow.workspace.press(BOB, message, "Accept", value=value)
        private(flow, BOB, "This button no longer works")
    assert flow.workspace.wait_for_message(BOB, OPS, lambda visible: visible.ts == message.ts).buttons == [
        "Accept",
        "Reject",
    ]


# --- rights and bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "text", "says"),
    [
        (CAROL, "/swarm migrate kaditz", "(requires `change`)"),
        (GUEST, "/swarm nodes", "Guests can't use Imker"),
        ("U06OTHER", "/swarm nodes", "Users of other workspaces can't use Imker"),
        (ALICE, "/swarm migrat kaditz", "Did you mean `/swarm migrate`?"),
        (ALICE, "/swarm frobnicate", "There is no command frobnicate"),
        (ALICE, "/swarm migrate", "specify a host"),
        (ALICE, "/swarm migrate kaditz --force", "unknown flag --force"),
        (ALICE, "/swarm migrate -oProxyCommand=x", "specify a host"),
        (ALICE, "/swarm migrate a;reboot", "invalid host name"),
        (ALICE, "/swarm accept 1 or 1=1", "takes one ID"),
        (ALICE, "/swarm status nosuchrun", "There is no run"),
        (ALICE, "/swarm " + "x" * 4000, "be longer than"),
        (CAROL, "/swarm help", "/swarm nodes"),
    ],
)
def test_replies_privately_to_denied_and_invalid_commands(flow: Flow, user: str, text: str, says: str) -> None:
    runs = flow.redis.zcard("bot:recent")
    flow.workspace.say(user, OPS, text)
    private(flow, user, says.replace("&", "&amp;"))
    assert flow.redis.zcard("bot:recent") == runs, "nothing was started"


def test_refuses_other_channels_and_names_the_right_one(flow: Flow) -> None:
    flow.workspace.say(ALICE, DEV, "/swarm nodes")
    flow.workspace.wait_for_message(ALICE, DEV, lambda message: message.ephemeral and "<#C01OPS>" in message.plain_text)


def test_help_lists_only_allowed_commands(flow: Flow) -> None:
    assert "/swarm migrate" in flow.send_command("/swarm help", "Commands that you can use here").plain_text
    assert (
        "/swarm migrate"
        not in flow.send_command("/swarm help", "Commands that you can use here", user=CAROL).plain_text
    )


def test_status_lists_runs_and_shows_one_run(flow: Flow) -> None:
    run, _ = waiting_run(flow)
    listed = flow.send_command("/swarm status", run)
    assert "migrate `kaditz`" in listed.plain_text
    assert listed.ephemeral
    assert "✓ *Join the swarm*" in flow.send_command(f"/swarm status {run}", "✓ *Join").plain_text


# --- faults --------------------------------------------------------------------------------------------------------


def test_starts_one_run_for_a_repeated_envelope(flow: Flow) -> None:
    flow.workspace.set_fault("repeat", method="socket")
    runs = flow.redis.zcard("bot:recent")
    flow.send_command("/swarm migrate tondi", "queued")
    time.sleep(1)
    assert flow.redis.zcard("bot:recent") == runs + 1


@pytest.mark.quiet
def test_acknowledges_twenty_commands_within_half_a_second(flow: Flow) -> None:
    with ThreadPoolExecutor(20) as pool:
        acks = list(pool.map(lambda _: flow.workspace.say(CAROL, OPS, "/swarm nodes"), range(20)))
    assert all(ack["acked"] for ack in acks)
    assert max(ack["seconds"] for ack in acks) < 0.5
    deadline = time.monotonic() + 15
    while sum("*Nodes*" in message.plain_text for message in flow.workspace.visible_messages(CAROL, OPS)) < 20:
        assert time.monotonic() < deadline, "each is answered"
        time.sleep(0.1)


def test_posts_once_when_the_reply_to_a_post_is_lost(flow: Flow) -> None:
    flow.workspace.set_fault("drop_reply", method="chat.postMessage")
    message = flow.send_command("/swarm migrate lausen", "queued")
    run = flow.run_id_of(message)
    flow.emit(run, JobStarted("lausen"), JobFinished("unchanged", "nothing to do"))
    flow.workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.ts == message.ts and "nothing to do" in visible.plain_text
    )
    assert (
        len(
            [visible for visible in flow.workspace.visible_messages(ALICE, OPS) if f"run `{run}`" in visible.plain_text]
        )
        == 1
    )


def test_posts_a_detail_once_when_its_reply_is_lost(flow: Flow) -> None:
    message = flow.send_command("/swarm migrate lausen", "queued")
    flow.workspace.set_fault("drop_reply", method="chat.postMessage")
    run = flow.run_id_of(message)
    flow.emit(
        run,
        JobStarted("lausen"),
        ThreadDetail("what apt said", "nothing new"),
        JobFinished("unchanged", "nothing to do"),
    )
    deadline = time.monotonic() + 20
    while run.encode() in flow.redis.smembers("bot:open"):
        assert time.monotonic() < deadline, "the run is closed once all of it is posted"
        time.sleep(0.1)
    assert (
        sum(
            "what apt said" in visible.plain_text
            for visible in flow.workspace.visible_messages(ALICE, OPS)
            if visible.thread_ts
        )
        == 1
    )


@pytest.mark.parametrize("kind", ["ratelimited", "server_error"])
def test_posts_the_latest_state_once_after_slack_errors(flow: Flow, kind: str) -> None:
    message = flow.send_command("/swarm migrate lausen", "queued")
    flow.workspace.set_fault(kind, method="chat.update", times=2)
    flow.emit(flow.run_id_of(message), JobStarted("lausen"), JobFinished("unchanged", "nothing to do"))
    flow.workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.ts == message.ts and "nothing to do" in visible.plain_text, 20
    )


def test_restarted_reconciler_edits_the_same_message(flow: Flow) -> None:
    message = flow.send_command("/swarm migrate lausen", "queued")
    flow.processes.kill("reconciler")
    flow.emit(flow.run_id_of(message), JobStarted("lausen"), JobFinished("unchanged", "nothing to do"))
    flow.processes.start("reconciler")
    visible = flow.workspace.wait_for_message(
        ALICE, OPS, lambda m: m.ts == message.ts and "nothing to do" in m.plain_text, 20
    )
    assert visible.ts == message.ts


def test_reposts_a_deleted_message(flow: Flow) -> None:
    message = flow.send_command("/swarm migrate lausen", "queued")
    run = flow.run_id_of(message)
    flow.workspace.delete_message(message)
    flow.emit(run, JobStarted("lausen"), JobFinished("unchanged", "nothing to do"))
    again = flow.workspace.wait_for_message(
        ALICE, OPS, lambda visible: f"run `{run}`" in visible.plain_text and "nothing" in visible.plain_text
    )
    assert again.ts != message.ts


def test_reports_a_killed_job_as_lost(workers: Flow) -> None:
    with socket.create_server(("127.0.0.1", workers.port)) as silent:
        connections: list[socket.socket] = []
        thread = threading.Thread(target=lambda: connections.append(silent.accept()[0]))
        thread.start()
        message = workers.send_command("/swarm migrate kaditz", "inspecting the host")
        thread.join(10)
        assert connections, "the job speaks to the silent host"
        run = workers.run_id_of(message)
        _kill_job(workers, run)
        lost = workers.workspace.wait_for_message(
            ALICE, OPS, lambda visible: visible.ts == message.ts and "The RQ worker stopped" in visible.plain_text
        )
        for connection in connections:
            connection.close()
    assert f"/swarm retry {run}" in lost.plain_text


def _kill_job(flow: Flow, run: str) -> None:
    """Kill the job process. The pool forks RQ workers, and a busy worker has one child, the job."""
    crew = flow.processes.by_name["changes"].pid
    horses = [horse for worker in _children(crew) for horse in _children(worker)]
    assert len(horses) == 1
    os.kill(horses[0], signal.SIGKILL)


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
