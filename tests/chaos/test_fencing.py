"""A job that does not know that it is no longer alone: asleep past its lease, or forgotten by its Redis."""

from lab.chaos import invariants
from tests.chaos.conftest import ChaosWorld, resume, suspend


def test_a_job_stopped_past_its_lease_is_refused_by_the_host_that_another_took(world: ChaosWorld) -> None:
    world.wait_for_text(world.send_command("/swarm migrate connewitz")[1], "is in the swarm")
    first = world.start_upgrade("tondi")
    asleep = world.busy_worker()
    suspend(*asleep)
    world.redis.pexpire("lock:host:tondi", 1)  # what time does in half a minute
    second, message = world.send_command("/swarm migrate tondi")
    world.wait_for_text(message, "Accept")
    resume(*asleep)
    refused = world.wait_for_text(first, "rejects changes of this run")
    assert f"run {second} has it since" in refused.plain_text
    assert f"Run {second} makes all further changes" in refused.plain_text
    assert f"/swarm status {second}" in refused.plain_text
    assert_sound(world)


def test_a_redis_that_is_emptied_in_the_middle_of_an_upgrade_leaves_it_to_be_found_on_the_host(
    world: ChaosWorld,
) -> None:
    world.wait_for_text(world.send_command("/swarm migrate connewitz")[1], "is in the swarm")
    world.start_upgrade("tondi")
    world.redis.flushall()
    _, message = world.send_command("/swarm migrate tondi")
    world.wait_for_text(message, "Accept")
    assert int(world.redis.get("fence:host:tondi")) > 1, "counted on from what the host had"
    assert_sound(world)


def assert_sound(world: ChaosWorld) -> None:
    history = world.fleet.world.history
    assert world.unit_starts("tondi") == 1
    assert invariants.nothing_done_twice(history.actions()) == []
    assert invariants.fencing_token_never_decreases(history.actions()) == []
    assert history.unknown_requests == []
