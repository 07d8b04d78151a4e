"""Test the doctor in Slack and on the command lines of both machines."""

import os
import subprocess
import sys
from pathlib import Path

from lab.processes import imker_environment
from tests.integration.conftest import ALICE, CAROL, OPS, Flow


def run(flow: Flow, folder: Path, *argv: str, **more: str) -> "subprocess.CompletedProcess[str]":
    settings = {**os.environ, **imker_environment(flow.workspace.url, folder / "imker.toml", folder / "redis"), **more}
    return subprocess.run([sys.executable, "-m", *argv], env=settings, capture_output=True, text=True, timeout=90)


def test_slack_doctor_reports_bot_and_jobs_checks(workers: Flow) -> None:
    message = workers.send_command("/swarm doctor", "*Doctor: ", seconds=60)
    assert "*SSH to `kaditz`*" in message.plain_text
    assert "*host key of `connewitz`*: is not in known_hosts. Check the key" in message.plain_text
    bot_report = workers.workspace.wait_for_message(ALICE, OPS, "Checks of the bot")
    assert bot_report.ephemeral
    assert "checks passed\nbot token, app token, channel C01OPS, redis, RQ workers for changes" in bot_report.plain_text


def test_doctor_requires_the_change_right(flow: Flow) -> None:
    flow.workspace.say(CAROL, OPS, "/swarm doctor")
    answer = flow.workspace.wait_for_message(CAROL, OPS, "(requires `change`)")
    assert answer.ephemeral


def test_bot_doctor_exits_nonzero_only_on_failures(workers: Flow, folder: Path) -> None:
    well = run(workers, folder, "bot", "doctor")
    assert well.returncode == 0, well.stdout + well.stderr
    assert "pass  reconciler: running" in well.stdout
    wrong = run(workers, folder, "bot", "doctor", SLACK_APP_TOKEN="xapp-wrong")
    assert (wrong.returncode, "fail  app token: Slack rejected it" in wrong.stdout) == (1, True)
    unset = run(workers, folder, "bot", "doctor", SLACK_BOT_TOKEN="")
    assert (unset.returncode, "fail  configuration: SLACK_BOT_TOKEN: missing" in unset.stdout) == (1, True)
    assert "xoxb-lab" not in well.stdout + wrong.stdout + unset.stdout


def test_jobs_doctor_names_each_unreachable_host(flow: Flow, folder: Path) -> None:
    answer = run(flow, folder, "jobs", "doctor")
    assert answer.returncode == 1
    assert "pass  redis: responds" in answer.stdout
    for name in ("connewitz", "tondi", "kaditz", "lausen"):
        assert f"fail  SSH to {name}:" in answer.stdout
        assert f"fail  Engine of {name}:" in answer.stdout
    assert "Traceback" not in answer.stderr
    missing = run(flow, folder, "jobs", "doctor", IMKER_CONFIG="/nonexistent.toml")
    assert (missing.returncode, "fail  configuration: /nonexistent.toml: file not found" in missing.stdout) == (1, True)


def test_jobs_doctor_fails_where_a_worker_would_not_start(flow: Flow, folder: Path) -> None:
    url = f"unix://{folder}/redis/redis.sock"
    unsigned = run(flow, folder, "jobs", "doctor", REDIS_URL=url, IMKER_SIGNING_KEY="")
    assert (unsigned.returncode, "IMKER_SIGNING_KEY: missing" in unsigned.stdout) == (1, True)
    away = run(flow, folder, "jobs", "doctor", REDIS_URL="redis://127.0.0.1:1", IMKER_SIGNING_KEY="k" * 64)
    assert (away.returncode, "fail  redis: Redis is not responding" in away.stdout) == (1, True)


def test_unknown_subcommand_prints_usage(flow: Flow, folder: Path) -> None:
    for module in ("bot", "jobs"):
        answer = run(flow, folder, module, "nonsense")
        assert (answer.returncode, "usage: python -m" in answer.stderr) == (2, True)
