"""A job that does not know that it is no longer alone: asleep past its lease, or forgotten by its Redis."""

from lab.chaos import invariants
from tests.chaos.conftest import World, go_on, stop


def test_a_job_stopped_past_its_lease_is_refused_by_the_host_that_another_took(world: World) -> None:
    world.sees(world.asks("/swarm migrate connewitz")[1], "is in the swarm")
    first = world.upgrading("tondi")
    asleep = world.busy()
    stop(*asleep)
    world.redis.pexpire("lock:host:tondi", 1)  # what time does in half a minute
    second, message = world.asks("/swarm migrate tondi")
    world.sees(message, "Accept")
    go_on(*asleep)
    refused = world.sees(first, "refuses this run's changes")
    assert f"run {second} has it since" in refused.plain
    assert f"what comes next is run {second}'s" in refused.plain
    assert f"/swarm status {second}" in refused.plain
    assert_sound(world)


def test_a_redis_that_is_emptied_in_the_middle_of_an_upgrade_leaves_it_to_be_found_on_the_host(world: World) -> None:
    world.sees(world.asks("/swarm migrate connewitz")[1], "is in the swarm")
    world.upgrading("tondi")
    world.redis.flushall()
    _, message = world.asks("/swarm migrate tondi")
    world.sees(message, "Accept")
    assert int(world.redis.get("fence:host:tondi")) > 1, "counted on from what the host had"
    assert_sound(world)


def assert_sound(world: World) -> None:
    history = world.fleet.world.history
    assert world.begun("tondi") == 1
    assert invariants.nothing_twice(history.deeds()) == []
    assert invariants.fence_never_goes_down(history.deeds()) == []
    assert history.unknown == []
