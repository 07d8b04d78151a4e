"""Run jobs that lost their lock without noticing: asleep longer than their lease, or with an emptied Redis."""

from lab.chaos import invariants
from tests.chaos.conftest import ChaosWorld, resume, suspend


def test_host_rejects_a_job_that_slept_past_its_lease(world: ChaosWorld) -> None:
    world.wait_for_text(world.send_command("/swarm migrate connewitz")[1], "joined the swarm")
    first = world.start_upgrade("tondi")
    asleep = world.busy_worker()
    suspend(*asleep)
    world.redis.pexpire("lock:host:tondi", 1)  # what time does in half a minute
    second, message = world.send_command("/swarm migrate tondi")
    world.wait_for_text(message, "Accept")
    resume(*asleep)
    refused = world.wait_for_text(first, "rejects changes of this run")
    assert f"run {second} claimed it at" in refused.plain_text
    assert f"Run {second} makes all further changes" in refused.plain_text
    assert f"/swarm status {second}" in refused.plain_text
    assert_sound(world)


def test_finds_a_running_upgrade_after_redis_was_emptied(
    world: ChaosWorld,
) -> None:
    world.wait_for_text(world.send_command("/swarm migrate connewitz")[1], "joined the swarm")
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
