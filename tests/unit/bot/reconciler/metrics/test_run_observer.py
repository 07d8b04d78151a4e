"""Log one line for each state of a run."""

from dataclasses import replace

from structlog.testing import capture_logs

from bot.reconciler.metrics.run_observer import RunObserver
from tests.unit.bot.reconciler.metrics.test_collector import DONE, WAITING


def test_logs_each_state_once() -> None:
    observer = RunObserver()
    queued = replace(WAITING, status="queued", question=None)
    with capture_logs() as logs:
        for state in (queued, queued, WAITING, WAITING, DONE, DONE):
            observer.observe(state)
        observer.forget("k3fm9x2q")
        observer.forget("unknown")
    assert [line["event"] for line in logs] == ["run queued", "run waiting", "run finished"]
    assert logs[1] == {
        "event": "run waiting", "log_level": "info", "run": "k3fm9x2q", "command": "migrate kaditz",
        "requester": "U01ALICE", "channel": "C01OPS", "question": "accept",
    }  # fmt: skip
    assert (logs[2]["outcome"], logs[2]["seconds"]) == ("done", 60.0)
    assert observer.states == {}
