"""Wait until a service runs as it should, and report how far it is."""

import time
from dataclasses import dataclass

from jobs.connectors.engine import Engine
from jobs.errors import EngineRefused, JobError, TimedOut, Unreachable
from jobs.execute.target import StepTarget
from jobs.facts.services.convergence import Convergence, judge
from jobs.facts.services.units import format_seconds
from jobs.gather.services import read_one

POLL_INTERVAL, REPORT_INTERVAL, LATER_INTERVAL = 0.5, 2.0, 10.0  # seconds; the last one after a minute
STABLE = 3.0  # seconds that all tasks have to run: a container that crashes at once has run, too
STALLED, STALLED_WITHOUT_REASON = 40.0, 150.0  # seconds without progress, with and without a known reason
LONGEST = 1800.0  # seconds in total, whatever the progress
SILENT = 60.0  # seconds without an answer of any manager
KEEPS_TRYING = "The change was made, and Docker keeps trying."


@dataclass
class _Watch:
    """What the wait has seen. Times are of the monotonic clock. `progress`: what counts as progress if it changes."""

    began_at: float
    moved_at: float
    answered_at: float
    converged_at: float | None = None
    reported_at: float = 0.0
    progress: tuple[object, ...] = ()
    latest: Convergence | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began_at


def await_convergence(target: StepTarget, service: str, is_rollback: bool) -> str:
    """Return the result when the service has converged. Raise TimedOut with the reason if it does not.

    `is_rollback`: the end of a rollback is what was asked for.
    """
    now = time.monotonic()
    watch, engine = _Watch(now, now, now), None
    while True:
        target.check_cancelled()
        try:
            engine = engine or target.connect_manager()
            _note(watch, _look(engine, service))
        except (Unreachable, EngineRefused) as error:
            engine = None
            _check_silence(watch, error)
        _report(watch, target)
        if watch.latest and (result := _result(watch, watch.latest, service, is_rollback)):
            return result
        time.sleep(POLL_INTERVAL)


def _look(engine: Engine, service: str) -> Convergence:
    facts = read_one(engine, service)
    if not facts.services:
        raise JobError(f"service {service} was removed meanwhile")
    return judge(facts.services[0], facts)


def _note(watch: _Watch, latest: Convergence) -> None:
    watch.answered_at, watch.latest = time.monotonic(), latest
    progress = (latest.running, latest.desired, latest.ready, latest.update_state)
    if progress != watch.progress:
        watch.progress, watch.moved_at = progress, watch.answered_at
    if latest.verdict != "converged":
        watch.converged_at = None
    elif watch.converged_at is None:
        watch.converged_at = watch.answered_at


def _check_silence(watch: _Watch, error: JobError) -> None:
    if time.monotonic() - watch.answered_at > SILENT:
        raise TimedOut(f"no manager answers any more: {error.summary}", state=KEEPS_TRYING)


def _report(watch: _Watch, target: StepTarget) -> None:
    """Report the progress: at once if tasks changed, else from time to time."""
    now, latest = time.monotonic(), watch.latest
    interval = REPORT_INTERVAL if watch.seconds < 60 else LATER_INTERVAL
    if latest is None or (watch.moved_at < watch.reported_at and now - watch.reported_at < interval):
        return
    watch.reported_at = now
    reason = f"; {latest.reasons[0].text}" if latest.reasons else ""
    target.on_progress(f"{latest.text}, {format_seconds(watch.seconds)}{reason}")


def _result(watch: _Watch, latest: Convergence, service: str, is_rollback: bool) -> str:
    """Return the result, "" to wait on. Raise TimedOut if waiting is useless."""
    now = time.monotonic()
    if watch.converged_at is not None and now - watch.converged_at >= STABLE:
        if latest.update_state == "rollback_completed" and not is_rollback:
            raise TimedOut(f"{service} failed, and Docker rolled it back", state="The previous settings run.")
        took = format_seconds(watch.converged_at - watch.began_at)
        return f"converged in {took}: {latest.running} of {latest.desired} running"
    limit = STALLED if latest.reasons else STALLED_WITHOUT_REASON
    is_stalled = watch.converged_at is None and (now - watch.moved_at > limit or watch.seconds > LONGEST)
    if latest.verdict == "stopped" or is_stalled:
        raise _not_converged(latest, service, is_rollback)
    return ""


def _not_converged(latest: Convergence, service: str, is_rollback: bool) -> TimedOut:
    paused = {"paused": "Docker paused the update. ", "rollback_paused": "Docker paused the rollback. "}
    reason = latest.reasons[0].text if latest.reasons else "tasks did not start in time"
    lead = "the previous settings fail too: " if is_rollback else ""
    text = f"{lead}{service}: {latest.running} of {latest.desired} running: {reason}"
    return TimedOut(text, state=f"{paused.get(latest.update_state, '')}{KEEPS_TRYING}")
