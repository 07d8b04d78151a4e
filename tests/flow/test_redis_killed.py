"""Redis killed at random moments while people type: what was acknowledged is not lost, and nothing is done twice."""

import contextlib
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import RedisError

from tests.figures import figure
from tests.flow.conftest import ALICE, BOB, CAROL, OPS, Flow

KILLS, EACH = 15, 12  # kills; commands that each of three people types
SEED = 2016


@pytest.mark.figures
def test_no_acknowledged_command_is_lost_and_none_is_run_twice(workers: Flow) -> None:
    chance = random.Random(SEED)
    over = threading.Event()
    killer = threading.Thread(target=_kill, args=(workers, chance, over))
    killer.start()
    with ThreadPoolExecutor(3) as people:
        acked = sum(people.map(lambda who: _types(workers, who, over), (ALICE, BOB, CAROL)))
    killer.join()
    back = time.monotonic()
    workers.asked("/swarm hosts", "4 without an answer", seconds=30)
    figure("Redis killed -> a command goes all the way round", f"{time.monotonic() - back:.1f} s")
    workers.await_true(lambda: len(_posts(workers)) >= acked - _refused(workers) + 1)
    posts = _posts(workers)
    assert max(posts.values()) == 1, "one message a run"
    assert len(posts) <= 3 * EACH + 1, "one run a command"
    twice = [run for run in posts if len({event.at for event in workers.events(run) if event.number == 1}) > 1]
    assert not twice
    figure("commands lost", f"0 of {acked} acknowledged, {KILLS} kills of Redis; run twice: 0; posts doubled: 0")


def _kill(flow: Flow, chance: random.Random, over: threading.Event) -> None:
    done = 0
    while done < KILLS:
        time.sleep(chance.uniform(0.05, 0.6))
        with contextlib.suppress(RedisError):
            os.kill(int(flow.redis.info("server")["process_id"]), signal.SIGKILL)
            done += 1
    over.set()


def _types(flow: Flow, who: str, over: threading.Event) -> int:
    """So many commands while it lasts; how many were acknowledged."""
    acked = 0
    for _ in range(EACH):
        acked += flow.workspace.say(who, OPS, "/swarm nodes")["acked"]
        over.wait(0.2)
    return acked


def _posts(flow: Flow) -> Counter[str]:
    """How many messages each run has."""
    found = (re.search(r"run `(\w+)`", seen.plain) for seen in flow.workspace.sees(ALICE, OPS) if not seen.thread)
    return Counter(run[1] for run in found if run)


def _refused(flow: Flow) -> int:
    """Commands that were not written down, and whose askers were told so."""
    return sum("Not started: " in seen.plain for who in (ALICE, BOB, CAROL) for seen in flow.workspace.sees(who, OPS))
