"""Count what the reconciler does, as Prometheus metrics. Needs the extra `metrics`."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from bot.reconciler.metrics.run_observer import Recorder, run_seconds
from bot.state.run_state import RunState

RUN_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)  # seconds
STEP_BUCKETS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
PASS_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60)


class PrometheusRecorder(Recorder):
    """Count runs, steps, passes, and errors of Slack since this process started."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs = Counter("imker_runs", "Runs that ended", ["command", "outcome"], registry=registry)
        self._run_seconds = Histogram(
            "imker_run_seconds",
            "Seconds from the command to the end of its run, waiting for people included",
            ["command"],
            buckets=RUN_BUCKETS,
            registry=registry,
        )
        self._step_seconds = Histogram(
            "imker_step_seconds", "Seconds that a step took", ["step"], buckets=STEP_BUCKETS, registry=registry
        )
        self._pass_seconds = Histogram(
            "imker_reconciler_pass_seconds",
            "Seconds of a pass of the reconciler over all open runs",
            buckets=PASS_BUCKETS,
            registry=registry,
        )
        self._slack_errors = Counter("imker_slack_errors", "Failed requests to Slack", ["code"], registry=registry)

    def run_ended(self, state: RunState) -> None:
        """Count the run and its steps."""
        command = state.record.command.type
        outcome = state.outcome.outcome if state.outcome else "lost" if state.status == "lost" else "cancelled"
        self._runs.labels(command, outcome).inc()
        self._run_seconds.labels(command).observe(run_seconds(state))
        for step in state.steps:
            if step.started_at is not None and step.ended_at is not None:
                self._step_seconds.labels(step.key).observe(max(0.0, step.ended_at - step.started_at))

    def pass_ended(self, seconds: float) -> None:
        """Count the pass."""
        self._pass_seconds.observe(seconds)

    def slack_failed(self, code: str) -> None:
        """Count the error."""
        self._slack_errors.labels(code).inc()
