"""The table of attempts through the lab's Slack and the bot as a process: exactly those that the configuration allows

become jobs, and exactly those are taken up by the RQ workers.
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

from imker import moment
from imker.signing import Key
from jobs import contract
from lab.imker import Processes, environment
from lab.slack.client import Seen
from lab.slack.running import free_port, running
from lab.slack.state import DEFAULT
from tests.bot.desk import GROUPS, HOSTS, IDS, KEY, LEI, OPS, STATES, TEAM, TOLD, Bench
from tests.bot.test_attempts import ATTEMPTS, FORGERIES, TABLE, change_groups, done_by, file_of, name
from tests.flow.conftest import HOST, _configured

CHANNELS = (OPS, LEI, "C02DEV", "D0ALICE", "")
VERDICTS = ("accept", "reject", "continue", "start", "cancel", "again")
BUTTONS = [
    {"type": "button", "action_id": f"run.{each}", "value": "-", "text": {"type": "plain_text", "text": each}}
    for each in VERDICTS
]
MALLORYS = Key("x" * 64)
# What the bot has kept of a person for a minute comes first: who is in which group then. A bot set up otherwise, last.
ORDERED = sorted(ATTEMPTS, key=lambda attempt: (not attempt.get("groups"), bool(attempt.get("rights"))))


class World:
    """`jobs`: what the bot signed, or somebody else made of that, and whether an RQ worker may take it up."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.jobs: list[tuple[str, str, bool]] = []
        (folder / "slack.yaml").write_text(yaml.safe_dump(_workspace()))
        self.workspace = stack.enter_context(running(config=folder / "slack.yaml"))
        self.client = WebClient(token="xoxb-lab", base_url=f"{self.workspace.url}/api/")
        _configured(folder, self._port)
        own = {
            **environment(self.workspace.url, folder / "imker.toml", folder / "redis"),
            "IMKER_SIGNING_KEY": "k" * 64,
        }
        self.processes = Processes(own, folder / "log")
        stack.callback(self.processes.stop)
        self._rights: dict[str, Any] | None = None

    def with_rights(self, rights: dict[str, Any]) -> None:
        """A bot with these changes to [rights]."""
        if rights == self._rights:
            return
        if "bot" in self.processes.running:
            self.processes.kill("bot")
            self.until(lambda: self.workspace.sockets() == 0)
        changed = "".join(f"{key} = {str(value).lower()}\n" for key, value in rights.items())
        hosts = "".join(HOST.format(name=one, folder=self._folder, port=self._port, role="worker") for one in HOSTS)
        config = TABLE["config"].replace("[rights]\n", f"[rights]\n{changed}")
        inventory = f'[inventory]\nknown_hosts = "{self._folder}/known_hosts"\n'
        (self._folder / "imker.toml").write_text(config + inventory + hosts)
        self._rights = rights
        self.processes.start("bot")
        self.until(lambda: self.workspace.sockets() > 0)
        self.redis = Redis(unix_socket_path=str(self._folder / "redis/redis.sock"))

    def bench(self, attempt: dict[str, Any]) -> Bench:
        """What the bot keeps, from outside; a question was asked as long ago as the attempt has it."""
        self.redis.flushall()
        after, now = attempt.get("after", 0), moment.now()
        after = after - 20 if 20 < after < 1800 else after  # a busy machine takes its time
        asked = replace(now, wall=now.wall - after - attempt.get("clock", 0), since=now.since - after)
        return Bench(self.redis, file_of(attempt), moment=asked, salt=name(attempt))

    def message(self, channel: str) -> str:
        blocks = [{"type": "actions", "elements": BUTTONS}]
        return str(self.client.chat_postMessage(channel=channel, text="a card", blocks=blocks)["ts"])

    def types(self, who: str, channel: str, text: str) -> None:
        self.workspace.say(IDS[who], channel, f"/swarm {text}")
        self._dealt_with()

    def presses(self, who: str, ts: str, verdict: str, value: str) -> None:
        card = Seen({"ts": ts, "blocks": [{"type": "actions", "elements": BUTTONS}]})
        self.workspace.press(IDS[who], card, verdict, value=value)
        self._dealt_with()

    def heard(self, who: str, channel: str, after: float) -> list[str]:
        """In private; what is for a user whom Slack does not name, the stand-in shows to all."""
        seen = [message for message in self.workspace.sees(IDS[who], channel) if float(message.ts) > after]
        return [message.text for message in seen if message.ephemeral or not IDS[who]]

    def until(self, true: Any) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.02)

    def _dealt_with(self) -> None:
        """Slack is told that it was heard once it is written down; it is struck off at the very end."""
        self.until(lambda: self.redis.scard("bot:inbox") == 0)


def _workspace() -> dict[str, Any]:
    told = yaml.safe_load(DEFAULT.read_text())
    strangers = {IDS["unknown"]: {"is_stranger": True}, IDS["nobody"]: {"is_stranger": True}}
    users = [
        {"name": who, "id": known, **TOLD.get(known, {}), **strangers.get(known, {})} for who, known in IDS.items()
    ]
    members = [told["app"]["bot_user"], *IDS.values()]
    return {
        "team": {**told["team"], "id": TEAM},
        "app": {**told["app"], "manifest": str((DEFAULT.parent / told["app"]["manifest"]).resolve())},
        "users": [told["users"][0], *users],
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
        run, own = bench.run(attempt["state"], attempt.get("needed", 1)), STATES[attempt["state"]][2]
        bench.runs.posted.remember(run, ts=world.message(own))
    for who, verdict in attempt.get("first", ()):
        world.presses(who, bench.runs.posted.of(run)["ts"], verdict, f"{run}:1")
    jobs, decisions, recorded, since = bench.requests(), bench.decisions(), len(bench.recorded()), time.time()
    with _groups(world, attempt.get("groups", "")), _stopped_by_slack(attempt["who"] == "gone"):
        _try(world, bench, attempt, run)
    done = done_by(bench, jobs, decisions)
    heard = world.heard(attempt["who"], channel, since)
    assert done == attempt.get("does", "nothing"), heard
    if attempt.get("clicks") == "again" or attempt["who"] == "gone":
        assert (heard, len(bench.recorded())) == ([], recorded), "Slack lets nobody press that, nor them"
        return
    # Of people without any right one a minute and kind is recorded, and this bot has seen them before.
    change_groups(bench, attempt.get("groups", ""))
    assert len(bench.recorded()) > recorded or bench.desk.outsider(IDS[attempt["who"]])
    if "says" in attempt:
        assert attempt["says"].replace("{run}", run) in "\n".join(heard)
    for job in set(bench.requests()) - set(jobs):
        world.jobs += _as_it_reaches_the_workers(*bench.enqueued(job), attempt.get("job", "as it is"))


def test_the_rq_workers_take_up_exactly_what_the_bot_signed_once_and_in_time(world: World) -> None:
    """Last in this file: of all that came before."""
    assert {may for _, _, may in world.jobs} == {True, False}, "the table was played"
    world.redis.flushall()
    for queue in (contract.CHANGES, contract.READS):
        world.processes.start(queue)
    queued: list[tuple[Job, str, bool]] = []
    last: dict[tuple[str, int], Job] = {}
    for number, (text, signature, may) in enumerate(world.jobs):
        request = contract.decode_request(text)
        if before := last.get((request.run, request.job)):
            _ended(world, before)  # a replay is one when what it repeats was taken up: RQ workers keep no order
        at = Queue(contract.queue_of(request.command), connection=world.redis, serializer=JSONSerializer)
        job = at.enqueue(contract.JOB_FUNCTION, args=(text, signature), job_id=f"job-{number}")
        last[request.run, request.job] = job
        queued.append((job, text, may))
    for job, text, may in queued:
        assert (_ended(world, job) is JobStatus.FINISHED) is may, text


def _ended(world: World, job: Job) -> JobStatus:
    world.until(lambda: job.get_status(refresh=True) in (JobStatus.FINISHED, JobStatus.FAILED))
    return job.get_status()


@contextmanager
def _stopped_by_slack(stopped: bool) -> Iterator[None]:
    """A deactivated account gets no further than that."""
    with pytest.raises(HTTPStatusError, match="409") if stopped else nullcontext():
        yield


@contextmanager
def _groups(world: World, change: str) -> Iterator[None]:
    """What Slack says of user groups meanwhile."""
    if change == "unreadable":
        world.workspace.fault("server_error", method="usergroups.users.list", times=-1)
    elif change:
        world.workspace.group("S02LEI")
    yield
    world.workspace.clear_faults()
    world.workspace.group("S02LEI", *GROUPS["S02LEI"])


def _try(world: World, bench: Bench, attempt: dict[str, Any], run: str) -> None:
    channel, twice = attempt.get("in", OPS), attempt.get("twice", False)
    if "types" in attempt:
        if twice:
            world.workspace.fault("repeat", method="socket")
        return world.types(attempt["who"], channel, attempt["types"].replace("{run}", run))
    own = bench.runs.posted.of(run)
    another = "message" in attempt or own["channel"] != channel
    ts = world.message(channel) if another else own["ts"]
    for _ in range(1 + twice):
        world.presses(attempt["who"], ts, attempt["clicks"], attempt.get("value", "{run}:1").replace("{run}", run))
    return None


def _as_it_reaches_the_workers(text: str, signature: str, how: str) -> list[tuple[str, str, bool]]:
    """Whatever somebody does to it on the way; of a replay, both."""
    request = contract.decode_request(text)
    if how in FORGERIES:
        return [(contract.encode(FORGERIES[how](request)), signature, False)]
    if how == "two days late":
        late = contract.encode(replace(request, expires=time.time() - 1))
        return [(late, KEY.sign(late), False)]
    forged = {"another key": MALLORYS.sign(text), "unsigned": ""}
    if how in forged:
        return [(text, forged[how], False)]
    return [(text, signature, True), (text, signature, False)][: 1 + (how == "replayed")]
