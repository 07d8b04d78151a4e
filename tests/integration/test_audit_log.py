"""Test the audit log from commands and clicks to the output of `python -m bot audit`."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.values import Candidate, Quorum
from lab.processes import imker_environment
from lab.slack.client import VisibleMessage
from tests.integration.conftest import ALICE, BOB, CANARIES, CAROL, OPS, Flow

NODE = "j8xsy2yb802b5ys0uvwhsouw1"
WAITING = DecisionRequested(
    "accept", "f00d", Candidate("kaditz", NODE, "198.18.0.39", "kaditz", "26.1.5"), Quorum(2, 0, 3, 1)
)


def recorded_facts(flow: Flow, after: int = 0) -> list[AuditFact]:
    return [entry.fact for entry in AuditLog(flow.redis).entries() if entry and entry.seq > after]


def last(flow: Flow) -> int:
    head = AuditLog(flow.redis).head()
    return head.seq if head else 0


def until(flow: Flow, after: int, number: int) -> list[AuditFact]:
    deadline = time.monotonic() + 20
    while len(facts := recorded_facts(flow, after)) < number:
        assert time.monotonic() < deadline, facts
        time.sleep(0.05)
    return facts


def audit(flow: Flow, folder: Path, *argv: str, **more: str) -> "subprocess.CompletedProcess[str]":
    settings = {**imker_environment(flow.workspace.url, folder / "imker.toml", folder / "redis"), **CANARIES, **more}
    return subprocess.run(
        [sys.executable, "-m", "bot", "audit", *argv], env={**os.environ, **settings}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip


def waiting_run(flow: Flow) -> tuple[str, VisibleMessage]:
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    flow.emit(run, JobStarted("kaditz"), WAITING)
    return run, flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ts == message.ts and "Accept" in visible.buttons
    )


@pytest.mark.parametrize(
    ("user", "text", "what", "expected_text"),
    [
        (CAROL, "/swarm help", "asked", {"text": "/swarm help"}),
        (CAROL, "/swarm status", "asked", {"text": "/swarm status"}),
        (CAROL, "/swarm nodes", "asked", {"text": "/swarm nodes"}),
        (CAROL, "/swarm migrate kaditz", "refused", {"why": "denied", "text": "/swarm migrate kaditz"}),
        (ALICE, "/swarm frobnicate", "refused", {"why": "misuse"}),
        (ALICE, "/swarm status nosuchrun", "refused", {"why": "void", "text": "/swarm status nosuchrun"}),
    ],
)
def test_records_every_command_and_every_refusal(
    flow: Flow, user: str, text: str, what: str, expected_text: dict[str, str]
) -> None:
    before = last(flow)
    flow.workspace.say(user, OPS, text)
    flow.wait_until(lambda: what in {fact.kind for fact in recorded_facts(flow, before)})
    fact = next(fact for fact in recorded_facts(flow, before) if fact.kind == what)
    assert (fact.user, fact.channel) == (user, OPS)
    assert {**fact.details, **expected_text} == fact.details


def test_records_decisions_and_clicks_without_effect(flow: Flow) -> None:
    run, message = waiting_run(flow)
    before = last(flow)
    for number, user in enumerate((CAROL, ALICE, BOB), 1):
        flow.workspace.press(user, message, "Accept")
        until(flow, before, number)
    recorded = [
        (fact.kind, fact.user, fact.details.get("verdict") or fact.details.get("why"))
        for fact in recorded_facts(flow, before)
    ]
    assert recorded == [("refused", CAROL, "denied"), ("refused", ALICE, "denied"), ("decided", BOB, "accept")]
    assert {fact.run for fact in recorded_facts(flow, before) if fact.kind == "decided"} == {run}


def test_records_a_repeated_delivery_once(flow: Flow) -> None:
    flow.workspace.set_fault("repeat", method="socket")
    before = last(flow)
    message = flow.send_command("/swarm migrate tondi", "queued")
    time.sleep(1)
    assert [fact.run for fact in recorded_facts(flow, before)] == [flow.run_id_of(message)]


def test_rq_workers_record_what_a_job_does(workers: Flow) -> None:
    before = last(workers)
    message = workers.send_command("/swarm migrate kaditz", "is unreachable over SSH")
    facts = until(workers, before, 3)
    run = workers.run_id_of(message)
    assert [(fact.kind, fact.user, fact.channel, fact.run) for fact in facts] == [
        (what, ALICE, OPS, run) for what in ("asked", "began", "ended")
    ]
    assert facts[-1].details == {"outcome": "failed", "job": "1"}


def test_shows_the_audit_table_privately_and_filters_it_by_run(flow: Flow) -> None:
    run, _ = waiting_run(flow)
    table = flow.send_command(f"/swarm audit {run}", "Latest", user=CAROL)
    assert table.ephemeral
    rows = [line for line in table.plain_text.splitlines() if "U01ALICE" in line]
    assert len(rows) == 1
    assert "/swarm migrate kaditz" in rows[0]
    assert "Latest 30 entries" in table.plain_text or len(rows) < 30


def test_posts_a_checkpoint_after_an_acceptance_that_verifies_the_log(flow: Flow, folder: Path) -> None:
    run, message = waiting_run(flow)
    flow.workspace.press(BOB, message, "Accept")
    flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ts == message.ts and "Accepted by" in visible.plain_text
    )
    journal = flow.event_writer(run, 2)
    journal.emit(JobStarted())
    head = flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.thread_ts == message.ts and "--head" in visible.plain_text
    )
    assert head.raw["subtype"] == "thread_broadcast", "in the channel, while the job goes on"
    journal.emit(JobFinished("done", "kaditz is a manager now."))
    flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ts == message.ts and "is a manager now" in visible.plain_text
    )
    head_argument = head.plain_text.split("--head ")[1].split("`")[0]
    answer = audit(flow, folder, "verify", "--head", head_argument)
    assert (answer.returncode, answer.stdout.startswith("INTACT: ")) == (0, True), answer
    lied = audit(flow, folder, "verify", "--head", "0" * 64 + ":" + head_argument.split(":")[1])
    assert lied.returncode == 1
    assert "differs from the checkpoint in --head" in lied.stdout
    assert audit(flow, folder, "verify", "--head", "nonsense").returncode == 2
    posts = [
        visible
        for visible in flow.workspace.visible_messages(BOB, OPS)
        if visible.thread_ts == message.ts and "--head" in visible.plain_text
    ]
    assert len(posts) == 1


def test_verifies_an_export_and_reports_the_first_bad_entry(flow: Flow, folder: Path) -> None:
    flow.send_command("/swarm help", "Commands that you can use here")
    export = audit(flow, folder, "export")
    lines = export.stdout.splitlines()
    assert export.returncode == 0
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    path = folder / "export.jsonl"
    path.write_text(export.stdout)
    end = json.loads(lines[-1])
    verified = audit(flow, folder, "verify", "--file", str(path), "--head", f"{end['hash']}:{end['seq']}")
    assert (verified.returncode, verified.stdout.startswith("INTACT: ")) == (0, True), verified
    alone = audit(flow, folder, "verify", "--file", str(path))
    assert (alone.returncode, alone.stdout.startswith("CONSISTENT: ")) == (2, True), alone
    path.write_text("\n".join([lines[0], lines[1].replace("U0", "U9"), *lines[2:]]))
    answer = audit(flow, folder, "verify", "--file", str(path))
    assert (answer.returncode, "entry 2 was changed" in answer.stdout.splitlines()[0]) == (1, True)


@pytest.mark.parametrize("more", [{"SLACK_BOT_TOKEN": ""}, {"SLACK_API_URL": "http://127.0.0.1:1/api/"}])
def test_does_not_call_the_log_complete_without_the_channel(flow: Flow, folder: Path, more: dict[str, str]) -> None:
    answer = audit(flow, folder, "verify", **more)
    assert (answer.returncode, "there was no checkpoint to compare with" in answer.stdout) == (2, True), answer
    assert "Cannot read the checkpoints in Slack" in answer.stderr


def test_detects_a_truncated_log_while_the_bot_keeps_running(flow: Flow, folder: Path) -> None:
    """Run last in this file: it leaves a truncated audit log."""
    seq = last(flow)
    flow.redis.xdel("audit", f"{seq}-0")
    answer = audit(flow, folder, "verify")
    assert (answer.returncode, f"shows entry {seq}" in answer.stdout) == (1, True)
    flow.send_command("/swarm help", "Commands that you can use here")
    answer = audit(flow, folder, "verify")
    assert (answer.returncode, f"entry {seq} is missing" in answer.stdout) == (1, True), answer.stdout
