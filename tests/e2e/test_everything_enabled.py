"""The story with everything enabled: rules, two approvals, signatures, a Redis user per process, planted secrets."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab.fleet import fleet
from lab.fleet.daemon_option_files import DEFAULTS_PATH
from lab.fleet.hosts import LabHost
from lab.processes import Processes, imker_environment
from lab.secret_scanner import dump_redis, find_leaks
from lab.slack.client import VisibleMessage
from lab.slack.server_process import run_fake_slack
from lab.story import ALICE, BOB, OPS
from tests.e2e.support.deployment import Deployment, descendant_pids, run_on, wait_until
from tests.support.redis_users import run_server, start_each, user_url

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(400)]
CAROL = "U03CAROL"
PROXY = "canary-proxy-password-5d1e"
KEYS = {"IMKER_AUDIT_KEY": "canary-audit-key-77b0c4", "IMKER_SIGNING_KEY": "canary-signing-key-41f8-0123456789abcdef"}
RIGHTS = """
[rights]
read = ["S01OPS"]
accept = ["U02BOB", "U03CAROL"]
accept_count = 2
accept_within = 5
[[rights.rule]]
who = ["U01ALICE"]
verbs = ["change"]
hosts = ["connewitz", "tondi"]
channels = ["C01OPS"]
"""


@contextmanager
def start_everything() -> Iterator[tuple[Deployment, Mapping[str, str]]]:
    """Start an Imker, and return it with the environment of its bot for further commands."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-a-")))
        config, client = folder / "imker.toml", fleet.CLIENT_DIR.resolve() / "imker.toml"
        before, rest = client.read_text().split("[rights]")
        config.write_text(f"{before}{RIGHTS}\n[inventory]{rest.split('[inventory]')[1]}")
        slack = stack.enter_context(run_fake_slack())
        redis = stack.enter_context(run_server(folder))
        processes = Processes({**imker_environment(slack.url, config, folder / "redis"), **KEYS}, folder / "log")
        stack.callback(processes.stop)
        start_each(processes, folder)
        wait_until(lambda: slack.connection_count() > 0)
        yield Deployment(slack, processes, folder / "log", redis), {
            **os.environ, **processes.environment, "REDIS_URL": user_url(folder, "bot"),
        }  # fmt: skip


def expect_refusal(imker: Deployment, user: str, text: str, words: str) -> None:
    """Check that a command is refused in private and creates no run."""
    before = imker.redis.keys("bot:run:*")
    assert imker.workspace.say(user, OPS, text)["acked"]
    assert imker.workspace.wait_for_message(
        user, OPS, lambda message: message.ephemeral and words in message.plain_text, 15
    )
    assert imker.redis.keys("bot:run:*") == before


def wait_for_reply(imker: Deployment, user: str, words: str) -> None:
    assert imker.workspace.wait_for_message(
        user, OPS, lambda message: message.ephemeral and words in message.plain_text, 15
    )


def test_the_story_with_everything_enabled(legacy: tuple[LabHost, ...]) -> None:
    run_on("tondi", "tee", "-a", DEFAULTS_PATH, stdin=f"export http_proxy=http://imker:{PROXY}@198.18.0.1:3128/\n")
    with start_everything() as (imker, environment):
        expect_refusal(imker, BOB, "/swarm migrate connewitz", "permission to migrate `connewitz` (requires `change`)")
        expect_refusal(imker, ALICE, "/swarm migrate lausen", "permission to migrate `lausen` (requires `change`)")
        expect_refusal(imker, CAROL, "/swarm nodes", "(requires `read`)")
        imker.wait_for_text(imker.send_command("/swarm migrate connewitz --manager"), "joined the swarm")
        fail_apt(imker)
        message = imker.wait_for_text(retry_after_kill(imker), "is waiting to be accepted as a manager.")
        accept_by_two(imker, message)
        assert PROXY in run_on("tondi", "cat", DEFAULTS_PATH), "Imker does not change settings of the host"
        lines = "".join(map(command_lines, (process.pid for process in imker.processes.by_name.values())))
        printed = check_audit_log(imker, environment, message)
        places = {
            "Redis": dump_redis(imker.redis),
            "the log": imker.log.read_text(),
            "Slack": json.dumps(
                [visible.raw for user in (ALICE, BOB, CAROL) for visible in imker.workspace.visible_messages(user, OPS)]
            ),
            "printed output": printed,
            "command lines": lines,
        }
        assert {place: find_leaks(planted_secrets(imker), text) for place, text in places.items()} == {
            place: [] for place in places
        }
        assert all(len(text) > 50 for text in places.values()), "every place has text to search"
        assert imker.redis.acl_log() == [], "no Redis user lacked a right"
        assert "Traceback" not in imker.log.read_text()


def fail_apt(imker: Deployment) -> None:
    """Let apt fail with an unreachable repository whose address contains a password."""
    private = "/etc/apt/sources.list.d/private.list"
    run_on(
        "tondi", "tee", private, stdin=f"deb [trusted=yes] http://imker:{PROXY}@198.18.0.1:3128/debian stable main\n"
    )
    failed = imker.wait_until_finished(imker.send_command("/swarm migrate tondi --manager"))
    assert failed.text[:1] in "❌🚫", failed.plain_text
    run_on("tondi", "rm", private)


def retry_after_kill(imker: Deployment) -> VisibleMessage:
    """Kill the RQ worker during the upgrade and retry the run."""
    message = imker.send_command("/swarm migrate tondi --manager")
    imker.wait_for_step(message, "UpgradeEngine")
    imker.kill_rq_workers()
    run = message.plain_text.split("run `")[1].split("`")[0]
    imker.wait_for_text(message, "The RQ worker stopped")
    return imker.send_command(f"/swarm retry {run}")


def accept_by_two(imker: Deployment, message: VisibleMessage) -> None:
    """Accept a manager as two users. The requester cannot accept, and no one counts twice."""
    imker.wait_until(message, lambda visible: "Accept" in visible.buttons)
    imker.press_button(ALICE, message, "Accept")
    wait_for_reply(imker, ALICE, "(requires `accept`)")
    imker.press_button(BOB, message, "Accept")
    imker.wait_for_text(message, f"1 of 2 so far: <@{BOB}>")
    imker.press_button(BOB, message, "Accept")
    wait_for_reply(imker, BOB, "It needs another approval")
    assert "Pending" in imker.wait_until_finished(imker.send_command("/swarm nodes")).plain_text, (
        "one approval is not enough"
    )
    run = message.plain_text.split("run `")[1].split("`")[0]
    assert imker.workspace.say(CAROL, OPS, f"/swarm accept {run}")["acked"]
    result = imker.wait_for_text(message, "is a manager now").plain_text
    assert all(f"Accepted by <@{user}>" in result for user in (BOB, CAROL)), result


def check_audit_log(imker: Deployment, environment: Mapping[str, str], message: VisibleMessage) -> str:
    """Check the audit log up to the checkpoint in the channel, and return what its commands print."""
    wait_until(lambda: "audit verify --head" in imker.thread_text(message))
    head = re.findall(r"--head ([0-9a-f]{64}:[0-9]+)", imker.thread_text(message))[-1]
    verified = run_audit_command(environment, "verify", "--head", head)
    exported = run_audit_command(environment, "export")
    facts = [json.loads(line)["fact"] for line in exported.splitlines()]
    kinds = {fact["what"] for fact in facts}
    assert {"asked", "refused", "decided", "began", "step", "changed", "waits", "ended"} <= kinds, kinds
    decided = [(fact["who"], fact["said"]["verdict"]) for fact in facts if fact["what"] == "decided"]
    assert decided == [(BOB, "accept"), (CAROL, "accept")]
    assert any(
        fact["host"] == "tondi" and DEFAULTS_PATH in str(fact["said"]) for fact in facts if fact["what"] == "changed"
    )
    return verified + exported


def run_audit_command(environment: Mapping[str, str], *argv: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "bot", "audit", *argv], env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def planted_secrets(imker: Deployment) -> tuple[str, ...]:
    """Return tokens, keys, lines from the middle of key files, the join tokens, and the password of the proxy."""
    client = fleet.CLIENT_DIR.resolve()
    files = (client / "ssh/id_ed25519", client / "docker-machine/machines/tondi/key.pem")
    tokens = [
        run_on("connewitz", "docker", "swarm", "join-token", "-q", role).strip() for role in ("worker", "manager")
    ]
    return (
        "xoxb-lab",
        "xapp-lab",
        PROXY,
        *KEYS.values(),
        *(file.read_text().splitlines()[3] for file in files),
        *tokens,
    )


def command_lines(pid: int) -> str:
    return "\n".join(Path(f"/proc/{item}/cmdline").read_bytes().decode() for item in [pid, *descendant_pids(pid)])
