"""A fleet of hundreds: looked at and planned by one RQ worker's job, and told within what Slack takes."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from bot import fleet_blocks
from bot.fleet import fleet_of
from bot.kit import Message
from bot.progress import fold
from bot.record import RunRecord
from imker import moment
from jobs.contract import Body, Command, Ended, Event, FleetPlanned, Hosts, MigrateAll, Waiting
from lab.simulated.fleet import Fleet, named, running
from lab.slack.blocks import EDITED, problems
from tests.figures import figure
from tests.lab.simulated.conftest import QUICK, Imker

HOSTS = 200


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running(named((), HOSTS), tmp_path_factory.mktemp("many"), QUICK) as fleet:
        yield fleet


def timed(imker: Imker, command: Command) -> tuple[list[Body], float]:
    began = time.monotonic()
    return imker.does(command), time.monotonic() - began


def fitting(command: Command, told: list[Body]) -> Message:
    """What the reporter shows of it; Slack takes it, as a post and as an edit."""
    record = RunRecord("k3fm9x2q", command, command.type, "U01ALICE", "C01OPS", time.time())
    events = [Event(record.run, 1, number, time.time(), body) for number, body in enumerate(told, 1)]
    view = fold(record, events, "over", time.time(), moment.now())
    message = fleet_blocks.shown(view, fleet_of(view, {}, None))
    assert problems(list(message.blocks)) == []
    assert len(message.text) <= EDITED
    return message


def left_out_is_said(message: Message) -> bool:
    (table,) = [block for block in message.blocks if block["type"] == "table"]
    more = f"and {HOSTS + 1 - len(table['rows'])} more"
    return any(more in str(block) for block in message.blocks if block["type"] == "context")


@pytest.mark.figures
@pytest.mark.long
@pytest.mark.timeout(300)
def test_hundreds_of_hosts_are_looked_at_and_planned_and_the_messages_fit(many: Fleet, redis: Redis) -> None:
    """More descriptors are open here, both ends of all, than select takes."""
    imker = Imker(many, redis)
    looked, seconds = timed(imker, Hosts())
    figure(f"/swarm hosts, {HOSTS} hosts", f"{seconds:.1f} s")
    assert looked[-1] == Ended("done", f"{HOSTS} hosts")
    assert left_out_is_said(fitting(Hosts(), looked))
    planned, seconds = timed(imker, MigrateAll())
    figure(f"/swarm migrate all, {HOSTS} hosts, until it is planned", f"{seconds:.1f} s")
    assert isinstance(planned[-1], Waiting)
    (fleet,) = [body for body in planned if isinstance(body, FleetPlanned)]
    assert len(fleet.legs) == HOSTS
    assert left_out_is_said(fitting(MigrateAll(), planned))
