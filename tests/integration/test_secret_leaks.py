"""Plant secrets in every input of Imker and run successful and failing flows: no secret leaks anywhere else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imker.protocol.events import (
    DecisionRequested,
    JobFinished,
    JobStarted,
    Planned,
    StepFailed,
    StepStarted,
    ThreadDetail,
)
from imker.protocol.values import Candidate, Quorum, StepLine
from lab.processes import imker_environment
from lab.secret_scanner import dump_redis, find_leaks, render_secret_forms
from tests.integration.conftest import ALICE, BOB, CANARIES, CAROL, OPS, Flow

JOIN, PROXY = "SWMTKN-1-canary0a1b2c3d4e5f-canary6a7b8c9d", "canary-proxy-password-77"
STEPS = (StepLine("UpgradeEngine", "Upgrade the Engine"),)
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "kaditz", "26.1.5")


def planted(folder: Path) -> tuple[str, ...]:
    """Return both tokens, every key in the environment, lines of the key files, and secrets in host output."""
    keys = [(folder / name).read_text().splitlines()[5] for name in ("key", "key.pem")]
    return ("xoxb-lab", "xapp-lab", *CANARIES.values(), *keys, JOIN, PROXY)


def play(flow: Flow, folder: Path) -> tuple[str, str]:
    """Run flows that succeed, are refused, or fail, with careless input of hosts and users.

    Return the printed output and the command lines of the processes.
    """
    flow.send_command("/swarm hosts", "4 of 4 hosts are unreachable")
    flow.send_command("/swarm migrate kaditz", "is unreachable over SSH")
    flow.send_command("/swarm plan tondi", "is unreachable over SSH")
    flow.send_command("/swarm doctor", "Doctor: ", seconds=60)
    flow.workspace.say(ALICE, OPS, f"/swarm migrate kaditz {JOIN}")
    flow.workspace.say(ALICE, OPS, f"/swarm {PROXY}")
    flow.workspace.say(CAROL, OPS, "/swarm migrate kaditz")
    flow.workspace.wait_for_message(CAROL, OPS, "You don't have permission")
    lines = "".join(_command_lines(process.pid) for process in flow.processes.by_name.values())
    flow.processes.kill("changes")  # from here on the test is the job
    told_badly(flow)
    play_approval(flow)
    flow.send_command("/swarm audit", "Latest")
    settings = {
        **os.environ,
        **imker_environment(flow.workspace.url, folder / "imker.toml", folder / "redis"),
        **CANARIES,
    }
    argvs = (("bot", "doctor"), ("jobs", "doctor"), ("bot", "audit", "verify"), ("bot", "audit", "export"))
    ran = [subprocess.run([sys.executable, "-m", *argv], env=settings, capture_output=True, text=True, timeout=90)
           for argv in argvs]  # fmt: skip
    assert ran[2].returncode == 0, ran[2].stdout
    return "".join(answer.stdout + answer.stderr for answer in ran), lines


def told_badly(flow: Flow) -> None:
    """Emit the events of a job whose host output holds secrets, with the real event writer."""
    message = flow.send_command("/swarm migrate lausen", "queued")
    leaky_text = f"Err:1 http://imker:{PROXY}@proxy:3128/ and {JOIN}, password={PROXY}\n{render_secret_forms(PROXY)}"
    ended = JobFinished("failed", f"apt-get failed on lausen: {leaky_text}", leaky_text, leaky_text)
    flow.emit(
        flow.run_id_of(message), JobStarted("lausen"), Planned(STEPS, diff=leaky_text), StepStarted("UpgradeEngine"),
        ThreadDetail("apt on lausen", leaky_text), StepFailed("UpgradeEngine", leaky_text), ended,
    )  # fmt: skip
    flow.workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.thread_ts == message.ts and "apt on lausen" in visible.plain_text
    )


def play_approval(flow: Flow) -> None:
    message = flow.send_command("/swarm migrate tondi", "queued")
    run = flow.run_id_of(message)
    flow.emit(run, JobStarted("tondi"), DecisionRequested("accept", "f00d", CANDIDATE, Quorum(2, 0, 3, 1)))
    message_with_buttons = flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ts == message.ts and "Accept" in visible.buttons
    )
    flow.workspace.press(BOB, message_with_buttons, "Accept")
    flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ts == message.ts and "Accepted by" in visible.plain_text
    )
    flow.event_writer(run, 2).emit(JobStarted("tondi"))
    flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.thread_ts == message.ts and "--head" in visible.plain_text
    )


@pytest.mark.timeout(300)
def test_leaks_no_planted_secret(workers: Flow, folder: Path) -> None:
    printed, lines = play(workers, folder)
    secrets, slack = planted(folder), workers.workspace
    raw_messages = [message.raw for user in (ALICE, BOB, CAROL) for message in slack.visible_messages(user, OPS)]
    visible = {
        "Redis": dump_redis(workers.redis),
        "the log": (folder / "log").read_text(),
        "what was printed": printed,
        "the channel": _json([message for message in raw_messages if not message["ephemeral"]]),
        "what is said in private": _json([message for message in raw_messages if message["ephemeral"]])
        + _json(slack.calls("response")),
        "what Slack was called with": _json([call for call in slack.calls() if call["method"] != "response"]),
        "command lines": lines,
    }
    there = {place: find_leaks(secrets, text) for place, text in visible.items()}
    # Who types a word that is no command may be told, alone, that there is no such one.
    assert there == {place: [PROXY] if place == "what is said in private" else [] for place in visible}
    assert "http://…@proxy:3128" in visible["the channel"], "what stands around a secret is told"
    assert all(len(text) > 50 for text in visible.values()), "there was something to look through"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _command_lines(pid: int) -> str:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    command_line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    return command_line + "".join(_command_lines(int(child)) for child in children)
