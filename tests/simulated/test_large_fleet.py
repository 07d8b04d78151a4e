"""Plan a fleet of hundreds of hosts in one job, with messages within the limits of Slack."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from bot.messages.block_kit import Message
from bot.messages.runs import fleet_message
from bot.records import RunRecord
from bot.state.fleet_state import fold_fleet
from bot.state.run_state import fold
from imker import clock
from imker.protocol.commands import Command, ListHosts, MigrateAll
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, EventBody, FleetPlanned, JobFinished
from lab.simulated.fleet import Fleet, run_fleet, select_hosts
from lab.slack.validate_message import MAX_EDITED_TEXT, find_problems
from tests.simulated.conftest import FAST_PACE, JobRunner
from tests.support.figures import record_figure

HOSTS = 200


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with run_fleet(select_hosts((), HOSTS), tmp_path_factory.mktemp("many"), FAST_PACE) as fleet:
        yield fleet


def timed(imker: JobRunner, command: Command) -> tuple[list[EventBody], float]:
    began = time.monotonic()
    return imker.run_job(command), time.monotonic() - began


def fitting(command: Command, bodies: list[EventBody]) -> Message:
    """Render the message of the fleet and assert that Slack accepts it as a post and as an edit."""
    record = RunRecord("k3fm9x2q", command, command.type, "U01ALICE", "C01OPS", time.time())
    events = [Event(record.run, 1, number, time.time(), body) for number, body in enumerate(bodies, 1)]
    view = fold(record, EventLog(tuple(events)), "finished", time.time(), clock.take_timestamp())
    message = fleet_message.render_any(view, fold_fleet(view, {}, None))
    assert find_problems(list(message.blocks)) == []
    assert len(message.text) <= MAX_EDITED_TEXT
    return message


def left_out_is_said(message: Message) -> bool:
    (table,) = [block for block in message.blocks if block["type"] in ("table", "data_table")]
    more = f"and {HOSTS + 1 - len(table['rows'])} more"
    return any(more in str(block) for block in message.blocks if block["type"] == "context")


@pytest.mark.figures
@pytest.mark.long
@pytest.mark.timeout(300)
def test_plans_hundreds_of_hosts_and_the_messages_fit(many: Fleet, redis: Redis) -> None:
    """This process has both ends of all connections open: more descriptors than select() supports."""
    imker = JobRunner(many, redis)
    host_table, seconds = timed(imker, ListHosts())
    record_figure(f"/swarm hosts, {HOSTS} hosts", f"{seconds:.1f} s")
    assert host_table[-1] == JobFinished("done", f"{HOSTS} hosts")
    assert left_out_is_said(fitting(ListHosts(), host_table))
    fleet_plan, seconds = timed(imker, MigrateAll())
    record_figure(f"/swarm migrate all, {HOSTS} hosts, until the plan", f"{seconds:.1f} s")
    assert isinstance(fleet_plan[-1], DecisionRequested)
    (fleet,) = [body for body in fleet_plan if isinstance(body, FleetPlanned)]
    assert len(fleet.host_plans) == HOSTS
    assert left_out_is_said(fitting(MigrateAll(), fleet_plan))
