"""Play the authorization matrix through the fake Slack against the bot process.

Only what the configuration allows becomes a job, and the RQ workers accept only those jobs.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from httpx import HTTPStatusError
from redis import Redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from slack_sdk import WebClient

from imker import clock
from imker.protocol import codec, version
from imker.signing import SigningKey
from lab.processes import Processes, imker_environment
from lab.slack.client import VisibleMessage
from lab.slack.server_process import free_port, run_fake_slack
from lab.slack.state import DEFAULT_CONFIG
from tests.integration.conftest import HOST_CONFIG, _write_config
from tests.support.bot_harness import GROUPS, HOSTS, IDS, KEY, LEI, OPS, SCENARIOS, TEAM, USER_PROFILES, BotHarness
from tests.unit.bot.handlers.test_authorization_matrix import (
    ATTEMPTS,
    FORGERIES,
    TABLE,
    change_groups,
    done_by,
    file_of,
    name,
)

CHANNELS = (OPS, LEI, "C02DEV", "D0ALICE", "")
VERDICTS = ("accept", "reject", "continue", "start", "cancel", "again")
BUTTONS = [
    {"type": "button", "action_id": f"run.{each}", "value": "-", "text": {"type": "plain_text", "text": each}}
    for each in VERDICTS
]
MALLORYS = SigningKey("x" * 64)
# What the bot has kept of a person for a minute comes first: who is in which group then. A bot set up otherwise, last.
ORDERED = sorted(ATTEMPTS, key=lambda attempt: (not attempt.get("groups"), bool(attempt.get("rights"))))


class World:
    """The bot process and the jobs it enqueued. `jobs`: (text, signature, whether an RQ worker may accept it)."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.jobs: list[tuple[str, str, bool]] = []
        (folder / "slack.yaml").write_text(yaml.safe_dump(_workspace()))
        self.workspace = stack.enter_context(run_fake_slack(config=folder / "slack.yaml"))
        self.client = WebClient(token="xoxb-lab", base_url=f"{self.workspace.url}/api/")
        _write_config(folder, self._port)
        environment_values = {
            **imker_environment(self.workspace.url, folder / "imker.toml", folder / "redis"),
            "IMKER_SIGNING_KEY": "k" * 64,
        }
        self.processes = Processes(environment_values, folder / "log")
        stack.callback(self.processes.stop)
        self._rights: dict[str, Any] | None = None

    def with_rights(self, rights: dict[str, Any]) -> None:
        """Restart the bot with these changes to [rights]."""
        if rights == self._rights:
            return
        if "bot" in self.processes.by_name:
            self.processes.kill("bot")
            self.until(lambda: self.workspace.connection_count() == 0)
        changed = "".join(f"{key} = {str(value).lower()}\n" for key, value in rights.items())
        hosts = "".join(
            HOST_CONFIG.format(name=item, folder=self._folder, port=self._port, role="worker") for item in HOSTS
        )
        config = TABLE["config"].replace("[rights]\n", f"[rights]\n{changed}")
        inventory = f'[inventory]\nknown_hosts = "{self._folder}/known_hosts"\n'
        (self._folder / "imker.toml").write_text(config + inventory + hosts)
        self._rights = rights
        self.processes.start("bot")
        self.until(lambda: self.workspace.connection_count() > 0)
        self.redis = Redis(unix_socket_path=str(self._folder / "redis/redis.sock"))

    def bench(self, attempt: dict[str, Any]) -> BotHarness:
        """Return a harness on the same Redis whose question was asked `after` seconds ago."""
        self.redis.flushall()
        after, now = attempt.get("after", 0), clock.take_timestamp()
        after = after - 20 if 20 < after < 1800 else after  # a busy machine takes its time
        requested_at = replace(
            now, unix=now.unix - after - attempt.get("clock", 0), boot_seconds=now.boot_seconds - after
        )
        return BotHarness(self.redis, file_of(attempt), timestamp=requested_at, salt=name(attempt))

    def message(self, channel: str) -> str:
        blocks = [{"type": "actions", "elements": BUTTONS}]
        return str(self.client.chat_postMessage(channel=channel, text="a card", blocks=blocks)["ts"])

    def types(self, who: str, channel: str, text: str) -> None:
        self.workspace.say(IDS[who], channel, f"/swarm {text}")
        self._dealt_with()

    def presses(self, who: str, ts: str, verdict: str, value: str) -> None:
        card = VisibleMessage({"ts": ts, "blocks": [{"type": "actions", "elements": BUTTONS}]})
        self.workspace.press(IDS[who], card, verdict, value=value)
        self._dealt_with()

    def private_replies(self, who: str, channel: str, after: float) -> list[str]:
        """Return the ephemeral replies. The fake Slack shows replies to unknown users to everyone."""
        visible = [
            message for message in self.workspace.visible_messages(IDS[who], channel) if float(message.ts) > after
        ]
        return [message.text for message in visible if message.ephemeral or not IDS[who]]

    def until(self, true: Any) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.02)

    def _dealt_with(self) -> None:
        """Wait until the inbox is empty. The bot acknowledges early but removes a delivery only when it is handled."""
        self.until(lambda: self.redis.scard("bot:inbox") == 0)


def _workspace() -> dict[str, Any]:
    document = yaml.safe_load(DEFAULT_CONFIG.read_text())
    strangers = {IDS["unknown"]: {"is_stranger": True}, IDS["anonymous"]: {"is_stranger": True}}
    users = [
        {"name": who, "id": user_id, **USER_PROFILES.get(user_id, {}), **strangers.get(user_id, {})}
        for who, user_id in IDS.items()
    ]
    members = [document["app"]["bot_user"], *IDS.values()]
    return {
        "team": {**document["team"], "id": TEAM},
        "app": {**document["app"], "manifest": str((DEFAULT_CONFIG.parent / document["app"]["manifest"]).resolve())},
        "users": [document["users"][0], *users],
        "groups": [{"id": group, "name": group, "users": inside} for group, inside in GROUPS.items()],
        "channels": [{"id": channel, "name": channel, "members": members} for channel in CHANNELS],
    }


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, folder)


@pytest.mark.parametrize("attempt", ORDERED, ids=name)
def test_attempt(world: World, attempt: dict[str, Any]) -> None:
    world.with_rights(attempt.get("rights", {}))
    bench, channel, run = world.bench(attempt), attempt.get("in", OPS), ""
    if "state" in attempt:
        run, own_channel = bench.create_run(attempt["state"], attempt.get("needed", 1)), SCENARIOS[attempt["state"]][2]
        bench.runs.posted_messages.update(run, ts=world.message(own_channel))
    for who, verdict in attempt.get("first", ()):
        world.presses(who, bench.runs.posted_messages.get(run)["ts"], verdict, f"{run}:1")
    jobs, decisions, recorded, since = (
        bench.enqueued_requests(),
        bench.decision_keys(),
        len(bench.audit_facts()),
        time.time(),
    )
    with _groups(world, attempt.get("groups", "")), _stopped_by_slack(attempt["who"] == "gone"):
        _try(world, bench, attempt, run)
    result = done_by(bench, jobs, decisions)
    replies = world.private_replies(attempt["who"], channel, since)
    assert result == attempt.get("does", "nothing"), replies
    if attempt.get("clicks") == "again" or attempt["who"] == "gone":
        assert (replies, len(bench.audit_facts())) == ([], recorded), (
            "in Slack, no one can click that button, and a deactivated user clicks none"
        )
        return
    # Of people without any right one a minute and kind is recorded, and this bot has seen them before.
    change_groups(bench, attempt.get("groups", ""))
    assert len(bench.audit_facts()) > recorded or bench.handler.access.outsider_kind(IDS[attempt["who"]])
    if "says" in attempt:
        assert attempt["says"].replace("{run}", run) in "\n".join(replies)
    for job in set(bench.enqueued_requests()) - set(jobs):
        world.jobs += _as_it_reaches_the_workers(*bench.job_arguments(job), attempt.get("job", "as it is"))


def test_rq_workers_accept_only_signed_fresh_jobs_once(world: World) -> None:
    """Run last in this file: it uses the jobs of all tests above."""
    assert {may for _, _, may in world.jobs} == {True, False}, "the table was played"
    world.redis.flushall()
    for queue in (version.CHANGES_QUEUE, version.READS_QUEUE):
        world.processes.start(queue)
    queued: list[tuple[Job, str, bool]] = []
    last: dict[tuple[str, int], Job] = {}
    for number, (text, signature, may) in enumerate(world.jobs):
        request = codec.decode_request(text)
        if before := last.get((request.run, request.job)):
            _ended(world, before)  # a replay is one when what it repeats was taken up: RQ workers keep no order
        at = Queue(request.command.queue, connection=world.redis, serializer=JSONSerializer)
        job = at.enqueue(version.JOB_FUNCTION, args=(text, signature), job_id=f"job-{number}")
        last[request.run, request.job] = job
        queued.append((job, text, may))
    for job, text, may in queued:
        assert (_ended(world, job) is JobStatus.FINISHED) is may, text


def _ended(world: World, job: Job) -> JobStatus:
    world.until(lambda: job.get_status(refresh=True) in (JobStatus.FINISHED, JobStatus.FAILED))
    return job.get_status()


@contextmanager
def _stopped_by_slack(stopped: bool) -> Iterator[None]:
    """Expect that Slack itself rejects a deactivated account."""
    with pytest.raises(HTTPStatusError, match="409") if stopped else nullcontext():
        yield


@contextmanager
def _groups(world: World, change: str) -> Iterator[None]:
    """Change what Slack returns for user groups during an attempt."""
    if change == "unreadable":
        world.workspace.set_fault("server_error", method="usergroups.users.list", times=-1)
    elif change:
        world.workspace.set_group("S02LEI")
    yield
    world.workspace.clear_faults()
    world.workspace.set_group("S02LEI", *GROUPS["S02LEI"])


def _try(world: World, bench: BotHarness, attempt: dict[str, Any], run: str) -> None:
    channel, twice = attempt.get("in", OPS), attempt.get("twice", False)
    if "types" in attempt:
        if twice:
            world.workspace.set_fault("repeat", method="socket")
        return world.types(attempt["who"], channel, attempt["types"].replace("{run}", run))
    position = bench.runs.posted_messages.get(run)
    another = "message" in attempt or position["channel"] != channel
    ts = world.message(channel) if another else position["ts"]
    for _ in range(1 + twice):
        world.presses(attempt["who"], ts, attempt["clicks"], attempt.get("value", "{run}:1").replace("{run}", run))
    return None


def _as_it_reaches_the_workers(text: str, signature: str, how: str) -> list[tuple[str, str, bool]]:
    """Return the job as an attacker forwards it; both copies of a replay."""
    request = codec.decode_request(text)
    if how in FORGERIES:
        return [(codec.encode_message(FORGERIES[how](request)), signature, False)]
    if how == "two days late":
        late = codec.encode_message(replace(request, expires_at=time.time() - 1))
        return [(late, KEY.sign(late), False)]
    forged = {"another key": MALLORYS.sign(text), "unsigned": ""}
    if how in forged:
        return [(text, forged[how], False)]
    return [(text, signature, True), (text, signature, False)][: 1 + (how == "replayed")]
