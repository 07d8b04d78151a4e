"""Lose the reply to a Slack post: the reconciler finds the message and does not post it again."""

import os
import re
from collections import Counter

import pytest

from tests.integration.conftest import ALICE, CAROL, OPS, Flow
from tests.support.figures import record_figure

LOST = 100 if "FIGURES" in os.environ else 10
RUN = re.compile(r"run `(\w+)`")


@pytest.mark.figures
@pytest.mark.timeout(600)
def test_posts_no_message_twice_when_replies_are_lost(flow: Flow) -> None:
    before = len(_runs(flow))
    flow.workspace.set_fault("drop_reply", method="chat.postMessage", times=LOST)
    for _ in range(LOST):
        assert flow.workspace.say(CAROL, OPS, "/swarm nodes")["acked"]
    flow.workspace.wait_for_message(ALICE, OPS, lambda message: len(_runs(flow)) >= before + LOST, 300)
    flow.wait_until(lambda: not flow.workspace.pending_faults())
    flow.send_command("/swarm nodes", "run `", seconds=60)
    runs = _runs(flow)
    doubled = [run for run, times in runs.items() if times > 1]
    record_figure(f"duplicate posts, {LOST} lost replies", str(len(doubled)))
    assert (doubled, len(runs)) == ([], before + LOST + 1)


def _runs(flow: Flow) -> Counter[str]:
    """Count the messages of each run."""
    visible = (
        message
        for message in flow.workspace.visible_messages(ALICE, OPS)
        if not message.thread_ts and not message.ephemeral
    )
    return Counter(match[1] for message in visible if (match := RUN.search(message.plain_text)))
