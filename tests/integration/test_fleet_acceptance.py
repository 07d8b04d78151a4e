"""Accept and reject the managers of a fleet: several at once, in any order, and while the fleet is held."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from bot.records import Choice
from imker.protocol.run_id import host_run_id
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import run_fleet, select_hosts
from lab.slack.client import VisibleMessage
from tests.integration.test_fleet_control import ends, says, started
from tests.support.in_process_stack import InProcessStack

HOSTS = ("connewitz", "kaditz", "tondi", "lausen")
PENDING = ("kaditz", "tondi")
BOB = "U02BOB"


@pytest.fixture
def circle(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessStack]:
    pace = Pace(upgrade=0, download=0, restart=0, boot=0, join=0)
    with run_fleet(select_hosts(HOSTS), tmp_path, pace) as fleet:
        yield InProcessStack(redis, fleet, monkeypatch)


def joined(circle: InProcessStack) -> str:
    """Start a fleet, and let all its hosts join. Two of them wait to be accepted."""
    run = started(circle, "migrate all")
    assert "managers are waiting to be accepted" in ends(circle, run)
    circle.clock_offset = 0
    return run


def card(circle: InProcessStack, run: str, host: str) -> VisibleMessage:
    own_run = host_run_id(run, host)
    return next(message for message in circle.visible_messages() if f"run `{own_run}`" in message.plain_text)


def decide(circle: InProcessStack, run: str, host: str, choice: Choice) -> None:
    own_run = host_run_id(run, host)
    job = circle.runs.snapshot(own_run).record.job_count  # type: ignore[union-attr]
    circle.deliver(circle.press_button(BOB, card(circle, run, host), f"{own_run}:{job}", choice))


def managers(circle: InProcessStack) -> set[str]:
    return {node.hostname for node in circle.fleet.world.swarm.nodes.values() if node.role == "manager"}


@pytest.mark.parametrize("order", [PENDING, PENDING[::-1]])
def test_accepts_several_managers_at_once_in_any_order(circle: InProcessStack, order: tuple[str, ...]) -> None:
    run = joined(circle)
    assert all("Other managers of this fleet may be accepted" in card(circle, run, host).plain_text for host in PENDING)
    for host in order:
        decide(circle, run, host, "accept")
    assert "4 hosts migrated: 3 managers, 1 worker" in ends(circle, run)
    assert managers(circle) == {"connewitz", *PENDING}


def test_asks_again_when_a_manager_appears_that_the_fleet_did_not_plan(circle: InProcessStack) -> None:
    run = joined(circle)
    (lausen,) = [node for node in circle.fleet.world.swarm.nodes.values() if node.hostname == "lausen"]
    lausen.role = "manager"
    decide(circle, run, "tondi", "accept")
    ends(circle, run)
    circle.advance_clock(15)  # a message is not edited twice in a second
    circle.reconcile()
    assert "the swarm changed after the question was posted" in card(circle, run, "tondi").plain_text
    assert managers(circle) == {"connewitz", "lausen"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("reject", "4 hosts migrated: 2 managers, 2 workers. Rejected as manager: `tondi`"),
        (
            "remove",
            "4 hosts migrated: 2 managers, 1 worker. Rejected as manager: `tondi`. Removed from the swarm: `tondi`",
        ),
    ],
)
def test_a_rejected_manager_ends_the_fleet_like_an_accepted_one(
    circle: InProcessStack, choice: Choice, expected: str
) -> None:
    run = joined(circle)
    decide(circle, run, "kaditz", "accept")
    if choice == "reject":
        decide(circle, run, "tondi", choice)
    else:
        circle.deliver(circle.type_command(BOB, f"reject {host_run_id(run, 'tondi')} --remove"))
    assert expected in ends(circle, run)
    assert managers(circle) == {"connewitz", "kaditz"}


def test_a_manager_that_is_not_accepted_in_time_is_accepted_after_a_new_question(circle: InProcessStack) -> None:
    run = joined(circle)
    circle.advance_clock(31 * 60)
    circle.reconcile()
    assert "Not accepted by" in card(circle, run, "tondi").plain_text
    circle.deliver(circle.type_command(BOB, f"accept {host_run_id(run, 'tondi')}"))
    circle.reconcile()
    circle.run_job("changes")
    circle.reconcile()
    decide(circle, run, "tondi", "accept")
    ends(circle, run)
    assert "tondi" in managers(circle)


@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_a_manager_is_accepted_also_after_its_fleet_was_held(circle: InProcessStack, word: str) -> None:
    run = started(circle, "migrate all")
    while not circle.runs.record(host_run_id(run, "tondi")) or not waits(circle, run, "tondi"):
        circle.reconcile()
        assert circle.run_job("changes")
    says(circle, f"{word} {run}")
    circle.advance_clock(1)
    circle.reconcile()
    decide(circle, run, "tondi", "accept")
    ends(circle, run)
    assert "tondi" in managers(circle)


def waits(circle: InProcessStack, run: str, host: str) -> bool:
    snapshot = circle.runs.snapshot(host_run_id(run, host))
    return snapshot is not None and snapshot.state.status == "waiting"
