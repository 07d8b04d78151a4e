"""The story with all of it on: rules, two people's yes, signatures, a Redis user a process, and secrets planted."""

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

from lab.canaries import found, held_by
from lab.fleet import fleet
from lab.fleet.hosts import LabHost
from lab.fleet.options import DEFAULTS
from lab.imker import Processes, environment
from lab.slack.client import Seen
from lab.slack.running import running
from lab.story import ALICE, BOB, OPS
from tests.fleet.imkers import Imker, below, on, wait_for
from tests.redis_users import server, start_each, url

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
def all_on() -> Iterator[tuple[Imker, Mapping[str, str]]]:
    """An Imker, and the environment of its bot for commands beside it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-a-")))
        config, client = folder / "imker.toml", fleet.CLIENT.resolve() / "imker.toml"
        before, rest = client.read_text().split("[rights]")
        config.write_text(f"{before}{RIGHTS}\n[inventory]{rest.split('[inventory]')[1]}")
        slack = stack.enter_context(running())
        redis = stack.enter_context(server(folder))
        processes = Processes({**environment(slack.url, config, folder / "redis"), **KEYS}, folder / "log")
        stack.callback(processes.stop)
        start_each(processes, folder)
        wait_for(lambda: slack.sockets() > 0)
        yield Imker(slack, processes, folder / "log", redis), {
            **os.environ, **processes.environment, "REDIS_URL": url(folder, "bot"),
        }  # fmt: skip


def refused(imker: Imker, user: str, text: str, words: str) -> None:
    """In private, and no run comes of it."""
    before = imker.redis.keys("bot:run:*")
    assert imker.workspace.say(user, OPS, text)["acked"]
    assert imker.workspace.wait(user, OPS, lambda seen: seen.ephemeral and words in seen.plain, 15)
    assert imker.redis.keys("bot:run:*") == before


def told(imker: Imker, user: str, words: str) -> None:
    assert imker.workspace.wait(user, OPS, lambda seen: seen.ephemeral and words in seen.plain, 15)


def test_the_story_with_all_of_it_on(legacy: tuple[LabHost, ...]) -> None:
    on("tondi", "tee", "-a", DEFAULTS, stdin=f"export http_proxy=http://imker:{PROXY}@198.18.0.1:3128/\n")
    with all_on() as (imker, beside):
        refused(imker, BOB, "/swarm migrate connewitz", "it takes the right `change` to migrate connewitz")
        refused(imker, ALICE, "/swarm migrate lausen", "it takes the right `change` to migrate lausen")
        refused(imker, CAROL, "/swarm nodes", "it takes the right `read`")
        imker.says(imker.asks("/swarm migrate connewitz --manager"), "is in the swarm")
        apt_fails(imker)
        message = imker.says(retried(imker), "waits to be accepted as a manager.")
        accepted_by_two(imker, message)
        assert PROXY in on("tondi", "cat", DEFAULTS), "it is the host's own, and stays there"
        lines = "".join(map(command_lines, (process.pid for process in imker.processes.running.values())))
        printed = recorded(imker, beside, message)
        places = {
            "Redis": held_by(imker.redis),
            "the log": imker.log.read_text(),
            "Slack": json.dumps([seen.raw for user in (ALICE, BOB, CAROL) for seen in imker.workspace.sees(user, OPS)]),
            "what was printed": printed,
            "command lines": lines,
        }
        assert {place: found(planted(imker), text) for place, text in places.items()} == {place: [] for place in places}
        assert all(len(text) > 50 for text in places.values()), "there was something to look through"
        assert imker.redis.acl_log() == [], "nobody lacked a right"
        assert "Traceback" not in imker.log.read_text()


def apt_fails(imker: Imker) -> None:
    """A repository with a password in its address, which is away: apt says so in its own words."""
    private = "/etc/apt/sources.list.d/private.list"
    on("tondi", "tee", private, stdin=f"deb [trusted=yes] http://imker:{PROXY}@198.18.0.1:3128/debian stable main\n")
    failed = imker.over(imker.asks("/swarm migrate tondi --manager"))
    assert failed.text[:1] in "❌🚫", failed.plain
    on("tondi", "rm", private)


def retried(imker: Imker) -> Seen:
    """The RQ worker dies in the middle of the upgrade; the same is asked for again."""
    message = imker.asks("/swarm migrate tondi --manager")
    imker.begins(message, "UpgradeEngine")
    imker.kill_rq_workers()
    run = message.plain.split("run `")[1].split("`")[0]
    imker.says(message, "RQ reports that the job failed")
    return imker.asks(f"/swarm retry {run}")


def accepted_by_two(imker: Imker, message: Seen) -> None:
    """Not by who asked, and not by one person twice."""
    imker.until(message, lambda seen: "Accept" in seen.buttons)
    imker.presses(ALICE, message, "Accept")
    told(imker, ALICE, "it takes the right `accept`")
    imker.presses(BOB, message, "Accept")
    imker.says(message, f"1 of 2 said yes: <@{BOB}>")
    imker.presses(BOB, message, "Accept")
    told(imker, BOB, "it takes somebody else as well")
    assert "Pending" in imker.over(imker.asks("/swarm nodes")).plain, "one yes makes no manager"
    run = message.plain.split("run `")[1].split("`")[0]
    assert imker.workspace.say(CAROL, OPS, f"/swarm accept {run}")["acked"]
    done = imker.says(message, "is a manager now").plain
    assert all(f"Accepted by <@{user}>" in done for user in (BOB, CAROL)), done


def recorded(imker: Imker, beside: Mapping[str, str], message: Seen) -> str:
    """The record is whole, up to the head that the channel has seen, and tells who did what."""
    wait_for(lambda: "audit verify --head" in imker.thread(message))
    head = re.findall(r"--head ([0-9a-f]{64}:[0-9]+)", imker.thread(message))[-1]
    verified = command(beside, "verify", "--head", head)
    exported = command(beside, "export")
    facts = [json.loads(line)["fact"] for line in exported.splitlines()]
    whats = {fact["what"] for fact in facts}
    assert {"asked", "refused", "decided", "began", "step", "changed", "waits", "ended"} <= whats, whats
    decided = [(fact["who"], fact["said"]["verdict"]) for fact in facts if fact["what"] == "decided"]
    assert decided == [(BOB, "accept"), (CAROL, "accept")]
    assert any(fact["host"] == "tondi" and DEFAULTS in str(fact["said"]) for fact in facts if fact["what"] == "changed")
    return verified + exported


def command(beside: Mapping[str, str], *argv: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "audit", *argv], env=beside, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def planted(imker: Imker) -> tuple[str, ...]:
    """Tokens, keys, lines from the middle of the keys' files, the swarm's own tokens, and the proxy's password."""
    client = fleet.CLIENT.resolve()
    files = (client / "ssh/id_ed25519", client / "docker-machine/machines/tondi/key.pem")
    tokens = [on("connewitz", "docker", "swarm", "join-token", "-q", role).strip() for role in ("worker", "manager")]
    return (
        "xoxb-lab",
        "xapp-lab",
        PROXY,
        *KEYS.values(),
        *(file.read_text().splitlines()[3] for file in files),
        *tokens,
    )


def command_lines(pid: int) -> str:
    return "\n".join(Path(f"/proc/{one}/cmdline").read_bytes().decode() for one in [pid, *below(pid)])
