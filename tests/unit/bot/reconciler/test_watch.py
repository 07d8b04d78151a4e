"""The watch requests what is due, posts each incident once, edits it, and survives what Slack and Redis do meanwhile.

Real watchers and publishers, with a real Redis and the lab's Slack. The clock starts at the present and is set by the
test, which also plays the RQ workers.
"""

import itertools
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException

import pytest
from pydantic import TypeAdapter
from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.http_retry import RetryHandler

from bot.reconciler.incident_messages import IncidentMessages
from bot.reconciler.watcher import Watcher
from bot.records import RunRecord
from bot.runs.store import RunStore
from bot.runs.watch_store import STATE_KEY
from bot.watch.model import WatchMode
from bot.watch.schedule import CONFIRM_SECONDS, HOSTS_INTERVAL
from imker import signing
from imker.protocol import codec
from imker.protocol.commands import Command, Migrate
from imker.protocol.events import DecisionRequested, EventBody, JobFinished, JobStarted
from imker.protocol.observation import HostObservation, Observation
from imker.protocol.version import HOST_OBSERVATION_KEY, KNOWN_SWARM_KEY, OBSERVATION_KEY
from jobs.events.writer import EventWriter
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from tests.support.streams import KEY
from tests.support.watch_looks import observe

ALICE, OPS = "U01ALICE", "C01OPS"
EVERY, DAY = 60.0, 24 * 3600
NUMBERS = itertools.count(1)


@dataclass
class World:
    """A swarm that the test describes, and two reconcilers."""

    workspace: Workspace
    redis: Redis
    now: float = field(default_factory=lambda: time.time() - next(NUMBERS) * 10 * DAY)  # messages are named by times

    def __post_init__(self) -> None:
        url = f"{self.workspace.url}/api/"
        self.client = WebClient(token="xoxb-lab", base_url=url, retry_handlers=list[RetryHandler]())
        self.runs = RunStore(self.redis, lambda: self.now, KEY)
        self.before = len(self.workspace.visible_messages(ALICE, OPS))
        self.save(KNOWN_SWARM_KEY, '{"cluster": "ours", "managers": ["connewitz"]}')
        self.watchers = [self.watcher(), self.watcher()]
        self.publishers = [self.publisher(), self.publisher()]

    def watcher(self) -> Watcher:
        return Watcher(RunStore(self.redis, lambda: self.now, KEY), EVERY, lambda: self.now)

    def publisher(self) -> IncidentMessages:
        return IncidentMessages(self.client, RunStore(self.redis, lambda: self.now, KEY), OPS)

    def save(self, key: str, text: str) -> None:
        self.redis.set(key, signing.sign_for(KEY, key, text))

    def see(self, words: str, seconds: float = EVERY) -> None:
        """Let time pass, save what the RQ workers see then, and let the first reconciler look."""
        self.now += seconds
        observation = observe(words, self.now)
        is_swarm = isinstance(observation, Observation)
        adapter: TypeAdapter[Observation] = TypeAdapter(Observation if is_swarm else HostObservation)  # type: ignore[arg-type]
        key = OBSERVATION_KEY if is_swarm else HOST_OBSERVATION_KEY
        self.save(key, adapter.dump_json(observation).decode())  # type: ignore[arg-type]
        self.look()

    def look(self, which: int = 0) -> None:
        """Let one reconciler look. An error of Slack is tried again at its next look."""
        self.watchers[which].watch()
        with suppress(SlackClientError, OSError, HTTPException):
            self.publishers[which].publish()

    def see_down(self, name: str = "lausen") -> None:
        """See a swarm without problems, and then this node Down."""
        self.see("")
        self.see(f"{name} Down")
        self.see(f"{name} Down", CONFIRM_SECONDS)

    def messages(self) -> list[VisibleMessage]:
        return self.workspace.visible_messages(ALICE, OPS)[self.before :]

    def texts(self) -> list[str]:
        return [message.plain_text for message in self.messages()]

    def start(self, run: str, command: Command, *bodies: EventBody) -> None:
        record = RunRecord(run, command, command.text, ALICE, OPS, self.now, allowed_hosts=("*",))
        self.runs.start(record)
        Job.fetch(f"{run}-1", self.redis, JSONSerializer).set_status(JobStatus.STARTED)
        self.emit(run, JobStarted("lausen"), *bodies)

    def emit(self, run: str, *bodies: EventBody) -> None:
        events = EventWriter(self.redis, KEY, run, 1, lambda: self.now)
        for number, body in enumerate(bodies):
            events._number = max(events._number, number)
            events.emit(body)

    def looks(self) -> list[str]:
        """Return the looks that wait in the queue."""
        jobs = [
            Job.fetch(job.decode(), self.redis, JSONSerializer) for job in self.redis.lrange("rq:queue:reads", 0, -1)
        ]  # type: ignore[union-attr]
        return [codec.decode_request(job.args[0]).command.type for job in jobs]

    def end_jobs(self) -> None:
        """End the jobs that wait."""
        for name in self.redis.lrange("rq:queue:reads", 0, -1):  # type: ignore[union-attr]
            Job.fetch(name.decode(), self.redis, JSONSerializer).set_status(JobStatus.FINISHED)
        self.redis.delete("rq:queue:reads")


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as started:
        yield started


@pytest.fixture
def world(workspace: Workspace, redis: Redis) -> Iterator[World]:
    yield World(workspace, redis)
    workspace.clear_faults()


# --- what is posted


def test_a_node_goes_down_and_is_back(world: World) -> None:
    world.see_down()
    (message,) = world.messages()
    assert message.text.startswith("🔻 *`lausen` is Down* since ")
    assert "3 of 3 managers are reachable: the swarm survives the loss of 1 of them." in message.text
    assert "`systemctl status docker`" in message.text
    assert message.buttons == ["Nodes", "Doctor", "Mute 2 h"]
    world.see("lausen Down", 120)
    world.see("")
    world.see("", CONFIRM_SECONDS)
    (message,) = world.messages()
    assert message.text == "✅ *`lausen` is Ready again*: resolved after 3 min."
    assert message.buttons == []


def test_the_first_look_posts_nothing(world: World) -> None:
    for _ in range(4):
        world.see("lausen Down, tondi unreachable, web 1/3")
    assert world.texts() == []


def test_a_manager_is_down_and_another_one_leads(world: World) -> None:
    world.see("")
    world.see("connewitz Down, tondi leads")
    world.see("connewitz Down, tondi leads", CONFIRM_SECONDS)
    message, reply = world.messages()
    assert "2 of 3 managers are reachable: the swarm survives the loss of none of them." in message.text
    assert reply.text.startswith("ℹ️ The leader is `tondi` since ")
    assert (reply.thread_ts, reply.raw.get("subtype")) == (message.ts, None)


def test_nodes_that_go_down_together_share_a_message(world: World) -> None:
    world.see("")
    world.see("lausen Down, miltitz Down")
    world.see("lausen Down, miltitz Down", CONFIRM_SECONDS)
    world.see("miltitz Down")
    world.see("miltitz Down", CONFIRM_SECONDS)
    (message,) = world.messages()
    assert message.text.splitlines()[0] == "🔻 *2 nodes went Down or became unreachable.* 1 of 2 is resolved."
    assert "✅ *`lausen` is Ready again*" in message.text


def test_a_flapping_node_has_one_message_and_one_more(world: World) -> None:
    world.see_down()
    for _ in range(6):
        for words in ("", "", "lausen Down", "lausen Down"):
            world.see(words, CONFIRM_SECONDS)
    message, reply = world.messages()
    assert "It happened 7 times." in message.text
    assert reply.text.startswith("🔻 *`lausen` is Down* again, 2 times since ")
    assert (reply.thread_ts, reply.raw.get("subtype")) == (message.ts, "thread_broadcast")


def test_no_manager_answers_is_one_message(world: World) -> None:
    world.see("")
    for _ in range(5):
        world.see("no manager")
    (message,) = world.messages()
    assert message.text.startswith("🔻 *No manager answers* since ")
    assert "unreachable: connewitz, tondi, kaditz" in message.text


def test_a_service_says_why(world: World) -> None:
    world.see("")
    for _ in range(3):
        world.see("web 1/3 no node fits: constraint node.labels.ssd==1 matches 0 of 5 nodes")
    (message,) = world.messages()
    assert message.text.startswith("🔻 *Service `web` has 1 of 3 tasks running* since ")
    assert "no node fits: constraint node.labels.ssd==1 matches 0 of 5 nodes." in message.text


def test_hosts_are_reported_with_certificates_and_options(world: World) -> None:
    world.see("hosts")
    world.see("kaditz cert 12d, tondi drift icc was removed", HOSTS_INTERVAL)
    texts = "\n".join(world.texts())
    assert "⚠️ *The certificate `cert.pem` of `kaditz` ends on " in texts
    assert "⚠️ *The daemon options of `tondi` differ from those that Imker left*" in texts
    assert "icc was removed." in texts
    assert "`/swarm plan tondi`" in texts


# --- Imker's own changes


def test_its_own_migration_is_silent_and_what_remains_is_not(world: World) -> None:
    world.see("")
    world.start("aaaaaaa2", Migrate("lausen"))
    for _ in range(4):
        world.see("lausen Down, web 1/3")
    assert world.texts() == []
    world.emit("aaaaaaa2", JobStarted("lausen"), JobFinished("failed", "the Engine does not start"))
    world.see("lausen Down")  # the run changed it since the look before
    world.see("lausen Down")
    world.see("lausen Down", CONFIRM_SECONDS)
    (text,) = world.texts()
    assert "lausen" in text


def test_a_run_that_waits_for_an_answer_changes_nothing(world: World) -> None:
    world.see("")
    world.start("aaaaaab2", Migrate("lausen"), DecisionRequested("continue", "f00d"))
    world.see("lausen Down")
    world.see("lausen Down", CONFIRM_SECONDS)
    assert len(world.texts()) == 1


# --- two reconcilers, Slack, and Redis


def test_two_reconcilers_post_once(world: World) -> None:
    world.see("")
    for seconds in (EVERY, CONFIRM_SECONDS, EVERY):
        world.see("lausen Down, connewitz Down, tondi leads", seconds)
        world.look(1)
    for seconds in (EVERY, CONFIRM_SECONDS):
        world.see("tondi leads", seconds)
        world.look(1)
    assert len(world.messages()) == 2  # one for both nodes, and the reply about the leader
    assert world.texts()[0].startswith("✅")


def test_two_reconcilers_that_look_at_the_same_time_post_once(world: World) -> None:
    """The lease of the first one expired while it waited for Slack."""
    world.see("")
    world.see("lausen Down")
    world.workspace.set_fault("drop_reply", method="chat.postMessage")
    world.see("lausen Down", CONFIRM_SECONDS)
    world.look(1)
    world.look(0)
    assert len(world.messages()) == 1


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
def test_a_lost_reply_posts_nothing_twice(world: World, fault: str) -> None:
    world.see("")
    world.see("connewitz Down, tondi leads")
    world.workspace.set_fault(fault, method="chat.postMessage", times=2)
    world.see("connewitz Down, tondi leads", CONFIRM_SECONDS)
    for _ in range(4):
        world.look()
    assert len(world.messages()) == 2
    world.publishers[0] = world.publisher()
    world.see("connewitz Down, tondi leads")
    assert len(world.messages()) == 2


def test_slack_is_away_and_it_is_still_true(world: World) -> None:
    world.workspace.set_fault("server_error", times=-1)
    world.see_down()
    for _ in range(5):
        world.see("lausen Down")
    world.workspace.clear_faults()
    assert world.texts() == []
    world.look()
    world.look()
    (text,) = world.texts()
    assert text.startswith("🔻")


def test_slack_is_away_and_it_is_no_longer_true(world: World) -> None:
    world.workspace.set_fault("server_error", times=-1)
    world.see_down()
    world.see("")
    world.see("", CONFIRM_SECONDS)
    world.workspace.clear_faults()
    for _ in range(3):
        world.look()
    assert world.texts() == []


def test_slack_is_away_while_it_is_resolved(world: World) -> None:
    world.see_down()
    world.workspace.set_fault("server_error", times=-1)
    world.see("")
    world.see("", CONFIRM_SECONDS)
    world.see("", 3600)
    world.workspace.clear_faults()
    world.look()
    (text,) = world.texts()
    assert text.startswith("✅")


def test_a_lost_reply_to_what_is_resolved_meanwhile(world: World) -> None:
    world.see("")
    world.see("lausen Down")
    world.workspace.set_fault("drop_reply", method="chat.postMessage")
    world.see("lausen Down", CONFIRM_SECONDS)
    world.workspace.set_fault("server_error", times=-1)
    world.see("")
    world.see("", CONFIRM_SECONDS)
    world.workspace.clear_faults()
    world.look()
    (text,) = world.texts()
    assert text.startswith("✅")


def test_a_deleted_message_stays_deleted(world: World) -> None:
    world.see_down()
    world.workspace.delete_message(world.messages()[0])
    world.see("")
    world.see("", CONFIRM_SECONDS)
    world.look()
    assert world.texts() == []


def test_redis_loses_its_data(world: World) -> None:
    """The next look is a first look: nothing is posted again, and the old message says that it is not followed."""
    world.see_down()
    for key in world.redis.keys("bot:*"):
        world.redis.delete(key)
    world.see("lausen Down")
    world.see("lausen Down", CONFIRM_SECONDS)
    (text,) = world.texts()
    assert text.startswith("❓ Imker no longer follows this incident: ")


def test_the_swarm_is_gone(world: World) -> None:
    world.see_down()
    world.publishers[0] = world.publisher()
    world.see("no swarm")
    (text,) = world.texts()
    assert text.startswith("❓ Imker no longer follows this incident: ")
    assert world.runs.posted_messages.watched() == {}


@pytest.mark.parametrize("key", [STATE_KEY, OBSERVATION_KEY])
def test_a_forged_value_is_ignored(world: World, key: str) -> None:
    world.see("")
    stored = world.redis.get(key)
    assert isinstance(stored, bytes)
    world.redis.set(key, b"0" * 64 + stored[64:])
    world.look()
    assert world.texts() == []


# --- off, and muted


def test_off_and_on_again(world: World) -> None:
    world.see_down()
    world.runs.watch.save_mode(WatchMode(is_on=False, user=ALICE))
    world.see("lausen Down, miltitz Down")
    world.end_jobs()
    world.see("lausen Down, miltitz Down")
    assert world.looks() == []
    world.runs.watch.save_mode(WatchMode(user=ALICE))
    world.see("miltitz Down")
    world.see("miltitz Down", CONFIRM_SECONDS)
    (text,) = world.texts()
    assert text.startswith("✅ *`lausen` is Ready again*")


def test_muted(world: World) -> None:
    world.see("")
    world.runs.watch.save_mode(WatchMode(muted_until=world.now + 3600, user=ALICE))
    for _ in range(5):
        world.see("lausen Down")
    assert world.texts() == []
    world.see("lausen Down", 3600)
    assert len(world.texts()) == 1


# --- requests


def test_requests_a_look_when_it_is_due(world: World) -> None:
    world.look()
    assert sorted(world.looks()) == ["observe_hosts", "observe_swarm"]
    world.end_jobs()
    world.see("hosts", 0)
    world.see("", 0)
    assert world.looks() == []
    world.now += EVERY - 1
    world.look()
    assert world.looks() == []
    world.now += 1
    world.look()
    assert world.looks() == ["observe_swarm"]


def test_looks_sooner_while_a_change_has_to_hold(world: World) -> None:
    world.see("hosts")
    world.see("")
    world.see("lausen Down", EVERY)
    world.end_jobs()
    world.now += CONFIRM_SECONDS
    world.look()
    assert world.looks() == ["observe_swarm"]


def test_looks_do_not_pile_up_while_no_worker_runs(world: World) -> None:
    for _ in range(20):
        world.now += EVERY
        world.look()
    assert sorted(world.looks()) == ["observe_hosts", "observe_swarm"]


def test_two_reconcilers_request_a_look_once(world: World) -> None:
    world.look(0)
    world.look(1)
    assert sorted(world.looks()) == ["observe_hosts", "observe_swarm"]


def test_a_lost_look_is_requested_again(world: World) -> None:
    world.look()
    for name in world.redis.lrange("rq:queue:reads", 0, -1):  # type: ignore[union-attr]
        Job.fetch(name.decode(), world.redis, JSONSerializer).set_status(JobStatus.FAILED)
    world.redis.delete("rq:queue:reads")
    world.now += EVERY
    world.look()
    assert "observe_swarm" in world.looks()


def test_requests_nothing_before_there_is_a_swarm(world: World) -> None:
    world.redis.delete(KNOWN_SWARM_KEY)
    world.look()
    assert world.looks() == []


def test_a_standby_does_nothing(world: World) -> None:
    world.watchers[0].watch(lambda: False)
    assert world.looks() == []


def test_fields_of_old_messages_are_removed(world: World) -> None:
    world.see_down()
    world.see("")
    world.see("", CONFIRM_SECONDS)
    assert world.runs.posted_messages.watched()
    world.see("", 25 * 3600)
    world.look()
    assert world.runs.posted_messages.watched() == {}
