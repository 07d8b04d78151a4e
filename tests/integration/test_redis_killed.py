"""Kill Redis at random times while users type: no acknowledged command is lost, and none runs twice."""

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

from imker.protocol.run_id import run_id
from tests.integration.conftest import ALICE, BOB, CAROL, OPS, Flow
from tests.support.figures import record_figure

KILLS, EACH = (50, 40) if "FIGURES" in os.environ else (15, 12)  # kills; commands that each of three people types
SEED = 2016
MAYBE = "If Redis saved the command before that"  # after a timeout: then the run may have started


@dataclass(frozen=True)
class Typed:
    """A typed command. `run`: the run it starts if it is received; `key`: where the private reply goes."""

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
        commands = [
            item
            for of_user in people.map(lambda who: _types(workers, who, over), (ALICE, BOB, CAROL))
            for item in of_user
        ]
    killer.join()
    back_at = time.monotonic()
    workers.send_command("/swarm hosts", "4 of 4 hosts are unreachable")
    record_figure("Redis killed, until a command completes", f"{time.monotonic() - back_at:.1f} s")
    refused = _refused(workers)
    expected_runs = {item.run for item in commands if item.acked and item.key not in refused}
    with contextlib.suppress(TimeoutError):
        workers.workspace.wait_for_message(
            ALICE, OPS, lambda message: expected_runs <= set(_posts(workers)), seconds=60
        )
    posts = _posts(workers)
    lost, doubled = expected_runs - set(posts), [run for run, times in posts.items() if times > 1]
    twice = [run for run in posts if len({event.at for event in workers.events(run) if event.number == 1}) > 1]
    record_figure(f"lost commands, {KILLS} kills of Redis", f"{len(lost)} of {len(expected_runs)} acknowledged")
    record_figure("of these, runs that ran twice; duplicate posts", f"{len(twice)}; {len(doubled)}")
    assert (lost, doubled, twice) == (set(), [], [])
    assert len(expected_runs) > KILLS / 3, "enough were acknowledged for the figure to say something"
    surely = {item.run for item in commands if MAYBE not in refused.get(item.key, MAYBE)}
    assert not surely & set(posts), "what was told not to have started has not"


def _kill(flow: Flow, chance: random.Random, over: threading.Event) -> None:
    result = 0
    while result < KILLS:
        time.sleep(chance.uniform(0.05, 0.6))
        with contextlib.suppress(RedisError):
            os.kill(int(flow.redis.info("server")["process_id"]), signal.SIGKILL)
            result += 1
    over.set()


def _types(flow: Flow, who: str, over: threading.Event) -> list[Typed]:
    """Type commands until the time is up."""
    commands = []
    for _ in range(EACH):
        delivery = flow.workspace.say(who, OPS, "/swarm nodes")
        payload = delivery["delivered"]
        commands.append(
            Typed(run_id(payload["trigger_id"]), delivery["acked"], payload["response_url"].rpartition("/")[2])
        )
        over.wait(0.2)
    return commands


def _posts(flow: Flow) -> Counter[str]:
    """Count the messages of each run."""
    matches = (
        re.search(r"run `(\w+)`", message.plain_text)
        for message in flow.workspace.visible_messages(ALICE, OPS)
        if not message.thread_ts
    )
    return Counter(run[1] for run in matches if run)


def _refused(flow: Flow) -> dict[str, str]:
    """Return the refused commands by where the reply went, with its text."""
    replies = ((call["arguments"]["key"], str(call["arguments"]["text"])) for call in flow.workspace.calls("response"))
    return {key: text for key, text in replies if "Not started: " in text}
