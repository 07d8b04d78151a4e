"""Log a job's state changes without text from a host."""

import pytest
from structlog.testing import capture_logs

from imker.protocol.commands import ListNodes, Migrate, Request
from imker.protocol.events import (
    DecisionRequested,
    Event,
    EventBody,
    JobFinished,
    JobStarted,
    StepDone,
    StepFailed,
    StepProgress,
)
from jobs.events.log import log_event

REQUEST = Request("k3fm9x2q", 2, Migrate("kaditz", "manager"), "U01ALICE")
ABOUT = {"run": "k3fm9x2q", "job": 2, "command": "migrate", "host": "kaditz", "log_level": "info"}


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (JobStarted("kaditz"), {"event": "job started"}),
        (StepDone("JoinSwarm", "canary"), {"event": "step done", "step": "JoinSwarm"}),
        (StepFailed("JoinSwarm", "canary"), {"event": "step failed", "step": "JoinSwarm"}),
        (DecisionRequested("accept", "canary"), {"event": "job waits for a decision", "question": "accept"}),
        (JobFinished("done", "canary"), {"event": "job ended", "outcome": "done"}),
    ],
)
def test_logs_state_changes(body: EventBody, line: dict[str, object]) -> None:
    with capture_logs() as logs:
        log_event(Event("k3fm9x2q", 2, 1, 0.0, body), REQUEST)
    assert logs == [{**ABOUT, **line}]


def test_logs_nothing_else_and_no_host_for_a_command_without_one() -> None:
    with capture_logs() as logs:
        log_event(Event("k3fm9x2q", 2, 1, 0.0, StepProgress("JoinSwarm", "canary")), REQUEST)
        log_event(Event("k3fm9x2q", 1, 1, 0.0, JobStarted()), Request("k3fm9x2q", 1, ListNodes(), "U01ALICE"))
    assert logs == [{"event": "job started", "run": "k3fm9x2q", "job": 1, "command": "nodes", "log_level": "info"}]
