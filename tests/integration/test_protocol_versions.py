"""Run a bot and RQ workers of different protocol versions: the run's message explains it, and no process fails."""

from pathlib import Path

from rq.serializers import JSONSerializer

from imker.protocol import version
from tests.integration.conftest import ALICE, OPS, Flow
from tests.support import streams

DATA = Path("tests/data/protocol")


def test_explains_events_of_a_newer_protocol_and_keeps_reconciling(flow: Flow, folder: Path) -> None:
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    for line in (DATA / "3-events.jsonl").read_text().splitlines():
        flow.redis.xadd(version.events_key(run), streams.signed_entry(run, line.replace("k3fm9x2q", run), flow.key))  # type: ignore[arg-type]
    flow.redis.publish(version.WAKE_CHANNEL, run)
    flow.workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.ts == message.ts and "Upgrade the older side" in visible.plain_text
    )
    assert "Traceback" not in (folder / "log").read_text()


def test_rejects_a_job_of_a_newer_bot_with_an_explanation(flow: Flow, folder: Path) -> None:
    message = flow.send_command("/swarm migrate kaditz", "queued")
    run = flow.run_id_of(message)
    newer = (DATA / "3-requests.jsonl").read_text().splitlines()[0].replace("k3fm9x2q", run)
    job_data = JSONSerializer.dumps((version.JOB_FUNCTION, None, [newer, flow.key.sign(newer)], {}))
    flow.redis.hset(f"rq:job:{run}-1", "data", job_data)
    flow.processes.start("changes")
    ended = flow.workspace.wait_for_message(
        ALICE,
        OPS,
        lambda visible: visible.ts == message.ts and "protocol version 3, these RQ workers use 2" in visible.plain_text,
        20,
    )
    assert ended.text.startswith("🚫")
    assert f"/swarm retry {run}" in ended.plain_text
    assert "Nothing was changed." in ended.plain_text
