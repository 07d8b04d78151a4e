"""Test acceptance in the channel with real processes: two approvers, an expiry, and unsigned jobs."""

import json

import pytest
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from imker import clock
from imker.protocol import codec, version
from imker.protocol.commands import Migrate, Request
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.values import Candidate, Quorum
from lab.slack.client import VisibleMessage
from tests.integration.conftest import ALICE, BOB, CAROL, OPS, Flow

NODE = "j8xsy2yb802b5ys0uvwhsouw1"


def waiting_run(
    flow: Flow, *, needed: int = 1, seconds: float = 1800.0, shows: str = "sees node"
) -> tuple[str, VisibleMessage]:
    """Start a migration and emit its acceptance question, in place of the job. Wait for a message with `shows`."""
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    flow.emit(run, JobStarted("kaditz"), acceptance_question(needed, seconds))
    return run, until(flow, message, shows)


def acceptance_question(needed: int = 1, seconds: float = 1800.0) -> DecisionRequested:
    candidate = Candidate("kaditz", NODE, "198.18.0.39", "kaditz", "26.1.5")
    return DecisionRequested(
        "accept", "f00d", candidate, Quorum(2, 0, 3, 1), "kaditz", required_approvals=needed,
        asked_at=clock.take_timestamp(), valid_seconds=seconds,
    )  # fmt: skip


def until(flow: Flow, message: VisibleMessage, says: str) -> VisibleMessage:
    return flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ts == message.ts and says in visible.plain_text
    )


def queued(flow: Flow, run: str, job: int) -> dict[str, object]:
    text, signature = Job.fetch(f"{run}-{job}", flow.redis, JSONSerializer).args
    assert flow.key.verify(text, signature)
    return dict(json.loads(text))


def test_counts_approvals_when_two_are_required(flow: Flow) -> None:
    run, message = waiting_run(flow, needed=2)
    flow.workspace.press(BOB, message, "Accept")
    once = until(flow, message, "1 of 2 so far: <@U02BOB>")
    flow.workspace.press(BOB, once, "Accept")
    flow.workspace.wait_for_message(
        BOB, OPS, lambda visible: visible.ephemeral and "It needs another approval" in visible.plain_text
    )
    assert not Job.exists(f"{run}-2", flow.redis)
    flow.workspace.press(CAROL, once, "Accept")
    flow.workspace.wait_for_message(
        CAROL, OPS, lambda visible: visible.ephemeral and "(requires `accept`)" in visible.plain_text
    )
    flow.workspace.press(BOB, once, "Reject")
    flow.wait_until(lambda: flow.workspace.modal(BOB) is not None)
    form = flow.workspace.modal(BOB)
    assert form is not None
    flow.workspace.fill_in(BOB, form)
    until(flow, message, "Rejected")
    assert queued(flow, run, 2)["command"] == {"type": "reject", "node": NODE, "remove": False}


@pytest.mark.parametrize("by", ["command", "button"])
def test_shows_an_expired_question_and_renews_it_on_accept(flow: Flow, by: str) -> None:
    run, message = waiting_run(flow, seconds=2.0)
    over = until(flow, message, "To ask again")
    assert over.buttons == ["Ask again"]
    if by == "button":
        flow.workspace.press(BOB, over, "Ask again")
    else:
        flow.workspace.say(BOB, OPS, f"/swarm accept {run}")
    until(flow, message, "Requested again by <@U02BOB>")
    request = queued(flow, run, 2)
    assert (request["command"], request["approvals"]) == ({"type": "accept", "node": NODE}, [])


def test_rejects_an_unsigned_job_with_an_explanation(workers: Flow) -> None:
    queue = Queue("changes", connection=workers.redis, serializer=JSONSerializer)
    request = Request("forgedrn", 1, Migrate("kaditz"), ALICE, expires_at=clock.take_timestamp().unix + 60)
    for number, signature in enumerate(("", "0" * 64)):
        job = queue.enqueue(
            version.JOB_FUNCTION, args=(codec.encode_message(request), signature), job_id=f"forged-{number}"
        )
        workers.wait_until(lambda job=job: job.get_status(refresh=True).value == "failed")  # type: ignore[misc]
    (event,) = workers.events("forgedrn")
    assert isinstance(event.body, JobFinished)
    assert event.body.outcome == "refused"
    assert "not signed" in event.body.summary
