"""Lose the primary of a Redis with a replica: after the fail-over, what the replica acknowledged is there."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from imker.protocol.events import JobFinished, JobStarted
from lab.slack.client import VisibleMessage
from tests.integration.conftest import ALICE, BOB, OPS, Flow, run_flow
from tests.integration.test_acceptance import acceptance_question, until
from tests.support.figures import record_figure
from tests.support.redis_pair import RedisPair, run_pair

FAILOVER_TIMEOUT = 60  # seconds from the fail-over until a click is handled
WAIT_MILLISECONDS = 1000
WRITES = 200  # before the primary is killed


@pytest.fixture
def pair() -> Iterator[RedisPair]:
    with run_pair() as started:
        yield started


@pytest.fixture
def flow(pair: RedisPair, tmp_path: Path) -> Iterator[Flow]:
    """Start the bot and the reconciler with the pair's address. The tests emit what jobs would."""
    with run_flow(tmp_path, pair, ("bot", "reconciler")) as started:  # type: ignore[arg-type]
        yield started


@pytest.mark.figures
def test_a_run_continues_after_a_failover(flow: Flow, pair: RedisPair) -> None:
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    flow.emit(run, JobStarted("kaditz"), acceptance_question())
    question = until(flow, message, "sees node")
    assert pair.wait_for_replica()
    pair.lose_primary()
    pair.fail_over()
    began = time.monotonic()
    flow.workspace.press(BOB, question, "Accept")
    flow.wait_until(lambda: _exists(flow, f"rq:job:{run}-2"))
    record_figure("fail-over of Redis, until a click is handled", f"{time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < FAILOVER_TIMEOUT
    flow.emit(run, JobStarted("kaditz"), JobFinished("done", "kaditz is a manager now."), job=2)
    until(flow, message, "kaditz is a manager now")
    assert [each.plain_text.count(run) for each in _posts(flow, run)] == [1], "one message"


def test_what_the_replica_had_not_received_is_lost_and_the_message_says_so(flow: Flow, pair: RedisPair) -> None:
    assert pair.wait_for_replica()
    pair.replica.replicate()  # of a server that does not exist, as if the network between the two were cut
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    assert not pair.wait_for_replica(0.2)
    pair.lose_primary()
    pair.fail_over()
    until(flow, message, "Redis lost its data, including this run")
    assert flow.send_command("/swarm migrate kaditz", "queued").ts != message.ts
    assert not _exists(flow, f"bot:run:{run}")


@pytest.mark.figures
@pytest.mark.parametrize("is_waiting", [False, True], ids=["as Imker writes", "with WAIT 1"])
def test_counts_lost_writes(pair: RedisPair, is_waiting: bool) -> None:
    """Kill the primary in a stream of writes, and count those that it acknowledged and the replica does not have."""
    acknowledged: list[int] = []
    writer = threading.Thread(target=_write, args=(pair.url, is_waiting, acknowledged))
    writer.start()
    while len(acknowledged) < WRITES:
        assert writer.is_alive()
        time.sleep(0.001)
    pair.lose_primary()
    writer.join()
    pair.fail_over()
    saved = {int(number) for number in pair.redis.lrange("test:numbers", 0, -1)}
    lost = set(acknowledged) - saved
    kind = "acknowledged with WAIT 1" if is_waiting else "acknowledged by the primary alone"
    record_figure(f"fail-over of Redis: lost writes, {kind}", f"{len(lost)} of {len(acknowledged)}")
    assert len(saved) >= WRITES / 2
    assert not (is_waiting and lost)


def _write(url: str, is_waiting: bool, acknowledged: list[int]) -> None:
    """Write one number after the other until the server is gone."""
    with Redis.from_url(url, retry=None) as redis, suppress(RedisError):
        for number in range(100_000):
            redis.rpush("test:numbers", number)
            if not is_waiting or redis.wait(1, WAIT_MILLISECONDS):
                acknowledged.append(number)


def _exists(flow: Flow, key: str) -> bool:
    with suppress(RedisError):  # while the connection is new
        return bool(flow.redis.exists(key))
    return False


def _posts(flow: Flow, run: str) -> list[VisibleMessage]:
    visible = flow.workspace.visible_messages(ALICE, OPS)
    return [each for each in visible if not each.thread_ts and f"run `{run}`" in each.plain_text]
