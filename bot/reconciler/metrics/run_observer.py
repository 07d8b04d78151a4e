"""Notice when the state of a run changes: log one line, and record it for the metrics."""

from collections.abc import Mapping

import structlog

from bot.state.run_state import RunState

logger = structlog.get_logger()


class Recorder:
    """Receive what happens. This one ignores it; `PrometheusRecorder` counts it."""

    def run_ended(self, state: RunState) -> None:
        """Record a run that has finished or is lost."""

    def pass_ended(self, seconds: float) -> None:
        """Record how long a pass over all open runs took."""

    def slack_failed(self, code: str) -> None:
        """Record an error of Slack by its code."""


class RunObserver:
    """Know the open runs by their latest states. A run that this process sees for the first time counts as changed."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder or Recorder()
        self._states: dict[str, RunState] = {}

    @property
    def states(self) -> Mapping[str, RunState]:
        """Return the latest state of each open run. Another thread may read this copy."""
        return dict(self._states)

    def observe(self, state: RunState) -> None:
        """Compare the state with the run's former one."""
        record = state.record
        former = self._states.get(record.run)
        self._states[record.run] = state
        if former and former.status == state.status:
            return
        logger.info(f"run {state.status}", run=record.run, command=record.command_text, **_details(state))
        if state.status in ("finished", "lost"):
            self.recorder.run_ended(state)

    def forget(self, run: str) -> None:
        """Forget a run that is closed."""
        self._states.pop(run, None)


def _details(state: RunState) -> dict[str, object]:
    """Return what the log line says about the new state."""
    details: dict[str, object] = {"requester": state.record.requester, "channel": state.record.channel}
    if state.question:
        details["question"] = state.question.question
    if state.outcome:
        details |= {"outcome": state.outcome.outcome, "seconds": round(run_seconds(state), 1)}
    return details


def run_seconds(state: RunState) -> float:
    """Return the seconds from the command to the end of the run, or until now."""
    return max(0.0, (state.finished_at or state.now) - state.record.requested_at)
