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
from dataclasses import dataclass

import pytest
from redis.exceptions import RedisError

from bot.record import run_id
from tests.figures import figure
from tests.flow.conftest import ALICE, BOB, CAROL, OPS, Flow

KILLS, EACH = (50, 40) if "FIGURES" in os.environ else (15, 12)  # kills; commands that each of three people types
SEED = 2016
MAYBE = "Should it have heard this"  # of a Redis that fell silent: then it may have begun


@dataclass(frozen=True)
class Typed:
    """`run`: which run it becomes, if it was heard; `key`: where it is answered in private."""

    run: str
    acked: bool
    key: str


@pytest.mark.figures
def test_no_acknowledged_command_is_lost_and_none_is_run_twice(workers: Flow) -> None:
    chance = random.Random(SEED)
    over = threading.Event()
    killer = threading.Thread(target=_kill, args=(workers, chance, over))
    killer.start()
    with ThreadPoolExecutor(3) as people:
        typed = [one for own in people.map(lambda who: _types(workers, who, over), (ALICE, BOB, CAROL)) for one in own]
    killer.join()
    back = time.monotonic()
    workers.asked("/swarm hosts", "4 without an answer", seconds=30)
    figure("Redis killed -> a command goes all the way round", f"{time.monotonic() - back:.1f} s")
    refused = _refused(workers)
    kept = {one.run for one in typed if one.acked and one.key not in refused}
    with contextlib.suppress(TimeoutError):
        workers.workspace.wait(ALICE, OPS, lambda seen: kept <= set(_posts(workers)), seconds=60)
    posts = _posts(workers)
    lost, doubled = kept - set(posts), [run for run, times in posts.items() if times > 1]
    twice = [run for run in posts if len({event.at for event in workers.events(run) if event.number == 1}) > 1]
    figure(f"commands lost, {KILLS} kills of Redis", f"{len(lost)} of {len(kept)} acknowledged")
    figure("of these, runs that ran twice; posts doubled", f"{len(twice)}; {len(doubled)}")
    assert (lost, doubled, twice) == (set(), [], [])
    assert len(kept) > KILLS / 3, "enough were acknowledged for the figure to say something"
    surely = {one.run for one in typed if MAYBE not in refused.get(one.key, MAYBE)}
    assert not surely & set(posts), "what was told not to have started has not"


def _kill(flow: Flow, chance: random.Random, over: threading.Event) -> None:
    done = 0
    while done < KILLS:
        time.sleep(chance.uniform(0.05, 0.6))
        with contextlib.suppress(RedisError):
            os.kill(int(flow.redis.info("server")["process_id"]), signal.SIGKILL)
            done += 1
    over.set()


def _types(flow: Flow, who: str, over: threading.Event) -> list[Typed]:
    """So many commands while it lasts."""
    typed = []
    for _ in range(EACH):
        said = flow.workspace.say(who, OPS, "/swarm nodes")
        heard = said["delivered"]
        typed.append(Typed(run_id(heard["trigger_id"]), said["acked"], heard["response_url"].rpartition("/")[2]))
        over.wait(0.2)
    return typed


def _posts(flow: Flow) -> Counter[str]:
    """How many messages each run has."""
    found = (re.search(r"run `(\w+)`", seen.plain) for seen in flow.workspace.sees(ALICE, OPS) if not seen.thread)
    return Counter(run[1] for run in found if run)


def _refused(flow: Flow) -> dict[str, str]:
    """Commands that were not written down, by where their askers were told so, and the words."""
    told = ((call["arguments"]["key"], str(call["arguments"]["text"])) for call in flow.workspace.calls("response"))
    return {key: text for key, text in told if "Not started: " in text}
