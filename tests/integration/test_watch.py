"""The watch with real processes: the reconciler posts, its buttons go through the gate, and an RQ worker looks."""

import time
from collections.abc import Iterator

import pytest
from pydantic import TypeAdapter

from bot.runs.watch_store import WatchStore
from bot.watch.model import WatchState
from imker import signing
from imker.audit_log import AuditLog
from imker.protocol.observation import Observation
from imker.protocol.version import KNOWN_SWARM_KEY, OBSERVATION_KEY
from jobs.run import WATCH_RETENTION
from lab.slack.client import VisibleMessage
from tests.integration.conftest import ALICE, CANARIES, CAROL, OPS, Flow
from tests.support.watch_looks import observe

KEYS = ("bot:watch:*", "imker:observation", "imker:host-observation", KNOWN_SWARM_KEY)
_OBSERVATION: TypeAdapter[Observation] = TypeAdapter(Observation)


@pytest.fixture(autouse=True)
def _with_swarm(flow: Flow) -> Iterator[None]:
    """Let Imker know a swarm, and forget it afterwards, so that the watch stops."""
    save(flow, KNOWN_SWARM_KEY, '{"cluster": "ours", "managers": []}')
    yield
    for pattern in KEYS:
        for name in flow.redis.keys(pattern):
            flow.redis.delete(name)


def save(flow: Flow, key: str, text: str) -> None:
    flow.redis.set(key, signing.sign_for(flow.key, key, text))


def state(flow: Flow) -> WatchState:
    return WatchStore(flow.redis, flow.key).state()


def see(flow: Flow, *looks: str, start: float = 0.0) -> float:
    """Save what is seen, a minute apart, each after the reconciler has folded the one before."""
    at = start or time.time()
    for words in looks:
        at += 60
        observation = observe(words, at)
        assert isinstance(observation, Observation)
        save(flow, OBSERVATION_KEY, _OBSERVATION.dump_json(observation).decode())
        flow.wait_until(lambda at=at: state(flow).observed_at == at)
    return at


def incidents(flow: Flow) -> list[VisibleMessage]:
    messages = flow.workspace.visible_messages(ALICE, OPS)
    return [message for message in messages if "`lausen` is" in message.plain_text and not message.ephemeral]


def private_reply(flow: Flow, user: str, text: str, after: str) -> VisibleMessage:
    return flow.workspace.wait_for_message(
        user, OPS, lambda message: message.ephemeral and text in message.plain_text, 60, after=after
    )


def test_an_incident_is_posted_muted_by_its_button_and_resolved(flow: Flow) -> None:
    at = see(flow, "", "lausen Down", "lausen Down")
    message = flow.workspace.wait_for_message(ALICE, OPS, lambda each: "`lausen` is Down" in each.plain_text, 60)
    flow.workspace.press(CAROL, message, "Mute 2 h")
    private_reply(flow, CAROL, "permission to use `/swarm watch mute` (requires `change`)", message.ts)
    flow.workspace.press(ALICE, message, "Mute 2 h")
    private_reply(flow, ALICE, "Muted until", message.ts)
    flow.processes.kill("reconciler")
    flow.processes.start("reconciler")
    see(flow, "miltitz Down", "miltitz Down", "miltitz Down", start=at)
    flow.workspace.wait_for_message(ALICE, OPS, lambda each: "`lausen` is Ready again" in each.plain_text, 60)
    (resolved,) = incidents(flow)
    assert resolved.ts == message.ts
    before = max(each.ts for each in flow.workspace.visible_messages(ALICE, OPS))
    assert flow.workspace.say(ALICE, OPS, "/swarm watch on")["acked"]
    private_reply(flow, ALICE, "`miltitz` is Down", before)


def test_the_nodes_button_lists_the_nodes(flow: Flow) -> None:
    see(flow, "", "lausen Down", "lausen Down")
    message = flow.workspace.wait_for_message(ALICE, OPS, lambda each: "Nodes" in each.buttons, 60)
    flow.workspace.press(CAROL, message, "Nodes")
    flow.workspace.wait_for_message(ALICE, OPS, lambda each: "run `" in each.plain_text, 60, after=message.ts)


def test_an_rq_worker_looks_when_it_is_asked(flow: Flow) -> None:
    """No host answers here: the first look says so, and posts nothing."""
    flow.processes.start("reads")
    flow.wait_until(lambda: state(flow).observed_at > 0)
    flow.wait_until(lambda: state(flow).hosts_observed_at > 0)
    (incident,) = state(flow).incidents
    assert (incident.condition.kind, incident.is_known) == ("swarm", True)
    lifetimes = [flow.redis.ttl(name) for name in flow.redis.keys("run:*:events")]
    assert sum(0 < seconds <= WATCH_RETENTION for seconds in lifetimes) >= 2, "its events expire soon"  # type: ignore[operator]
    facts = [entry.fact for entry in AuditLog(flow.redis, CANARIES["IMKER_AUDIT_KEY"].encode()).entries() if entry]
    assert not [fact for fact in facts if fact.details.get("command", "").startswith("observe")], "it changes nothing"
