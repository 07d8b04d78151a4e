"""Render a run's headline: what it is doing, or what came out. Pure."""

from bot.messages.block_kit import LINE_LIMIT, duration
from bot.messages.escape import escape_with_code
from bot.messages.runs import node_summary, run_text, service_message
from bot.state.run_state import RunState, StepState, latest_started_step
from imker.protocol.commands import ListHosts, ListNodes, PlanHost, RunDoctor
from imker.protocol.events import HostTable, JobFinished, NodeTable
from imker.protocol.service_commands import ListServices, ShowService
from imker.protocol.service_events import ServiceTable
from imker.text import truncate

MAX_RESULT = 140  # characters of a summary that becomes the headline; a longer one is shown below it
AWAIT_CONVERGENCE = "AwaitConvergence "  # start of the key of a step that waits for a service
ELAPSED_STEPS = ((60, 10), (300, 30), (float("inf"), 60))  # up to so many seconds, the elapsed time is rounded to these


def headline(state: RunState) -> str:
    """Return emoji and headline, escaped."""
    mark, lead, rest = _parts(state)
    space = "" if state.status == "running" else "  "
    return f"{mark} *{_escape_line(lead)}*" + (f"{space}{_escape_line(rest)}" if rest else "")


def headline_text(state: RunState) -> str:
    """Return emoji and headline without formatting, escaped."""
    mark, lead, rest = _parts(state)
    colon = "" if state.status == "running" else ": "
    return f"{mark} {_escape_line(lead)}" + (f"{colon}{_escape_line(rest)}" if rest else "")


def _escape_line(text: str) -> str:
    """Escape a text of Imker that may contain code. It is shortened first, so that code is kept whole or not at all."""
    return escape_with_code(truncate(text, LINE_LIMIT))


def rest_of_summary(state: RunState, outcome: JobFinished) -> str:
    """Return the outcome's summary without the sentence that the headline shows."""
    if _failed_step(state, outcome) or outcome.outcome == "rolled_back" or isinstance(state.record.command, PlanHost):
        return outcome.summary
    return outcome.summary.removeprefix(_first_sentence(outcome)).removeprefix(".").lstrip()


def _first_sentence(outcome: JobFinished) -> str:
    """Return the first sentence of the summary if it fits into the headline, else ""."""
    sentence = outcome.summary.split(". ")[0].removesuffix(".")
    is_shown = outcome.outcome not in ("unchanged", "cancelled") and len(sentence) <= MAX_RESULT
    return sentence if is_shown else ""


def _parts(state: RunState) -> tuple[str, str, str]:
    """Return the mark, what is bold, and what follows it."""
    mark = run_text.emoji(state)
    if state.status == "running":
        return mark, run_text.activity(state), f": {progress(state)}"
    if state.status == "finished" and state.outcome:
        warning, result = _result(state, state.outcome)
        if result:
            return warning or mark, result, ""
    return mark, run_text.title(state), run_text.status_text(state)


def progress(state: RunState) -> str:
    """Return which step is running, and for how long, unescaped."""
    step = latest_started_step(state)
    if step is None:
        return run_text.inspection(state)
    if step.status != "running":
        return f"{sum(each.status == 'done' for each in state.steps)} of {len(state.steps)} steps done"
    elapsed = _elapsed(state, step)
    return f"step {state.steps.index(step) + 1} of {len(state.steps)}, {step.title}" + (elapsed and f", {elapsed}")


def _elapsed(state: RunState, step: StepState) -> str:
    """Return how long the step has been running, "" below 10 seconds.

    It is rounded, as each new value is an edit of the message.
    """
    seconds = state.now - (step.started_at or state.now)
    unit = next(unit for limit, unit in ELAPSED_STEPS if seconds < limit)
    return duration(seconds // unit * unit) if seconds >= unit else ""


def _result(state: RunState, outcome: JobFinished) -> tuple[str, str]:
    """Return the mark, "" for the outcome's own, and the result, "" if the title and the status say it best."""
    if outcome.outcome == "done":
        match state.record.command:
            case ListNodes() if isinstance(state.table, NodeTable):
                return node_summary.node_result(state.table)
            case ListHosts() if isinstance(state.table, HostTable):
                return node_summary.host_result(state.table)
            case ListServices() if isinstance(state.table, ServiceTable):
                return service_message.services_result(state.table)
            case ShowService() if state.service:
                return service_message.service_result(state.service)
            case RunDoctor():
                return _doctor_result(state)
            case PlanHost():
                return _plan_result(state)
    if outcome.outcome in ("failed", "rolled_back"):
        return "", _failure(state, outcome)
    sentence = _first_sentence(outcome)
    if outcome.outcome == "refused":
        return "", f"{run_text.title(state)} rejected: {sentence}" if sentence else ""
    return "", f"{sentence}{_work_time(state, sentence)}" if sentence else ""


def _failure(state: RunState, outcome: JobFinished) -> str:
    host, rolled_back = getattr(state.record.command, "host", ""), outcome.outcome == "rolled_back"
    consequence = "; rolled back, the old Engine runs" if rolled_back else ""
    if step := _failed_step(state, outcome):
        return f"“{step.title}” failed{f' on {host}' if host else ''}{consequence}"
    sentence = "" if rolled_back else _first_sentence(outcome)
    return f"{run_text.title(state)} failed{consequence}" + (f": {sentence}" if sentence else "")


def _failed_step(state: RunState, outcome: JobFinished) -> StepState | None:
    """Return the step that failed, None if the summary says more: how many tasks of a service run, and why."""
    step = latest_started_step(state)
    has_failed = outcome.outcome in ("failed", "rolled_back") and step is not None and step.status == "failed"
    return step if has_failed and step and not step.key.startswith(AWAIT_CONVERGENCE) else None


def _work_time(state: RunState, sentence: str) -> str:
    """Return how long a host took to join: its steps together, without the time that the run waited for people."""
    if not sentence.endswith("joined the swarm"):
        return ""
    seconds = sum(step.ended_at - step.started_at for step in state.steps if step.ended_at and step.started_at)
    return f" in {duration(seconds)}" if round(seconds) else ""


def _plan_result(state: RunState) -> tuple[str, str]:
    blocks, warnings = (sum(each.level == level for each in state.findings) for level in ("block", "warn"))
    title = run_text.title(state)
    if blocks:
        return "⛔", f"{title}: {_count(blocks, 'finding')} to fix first"
    return "", f"{title}: {_count(len(state.steps), 'step')}" + (f", {_count(warnings, 'warning')}" if warnings else "")


def _doctor_result(state: RunState) -> tuple[str, str]:
    failed, warnings, passed = (
        sum(each.level == level for each in state.findings) for level in ("block", "warn", "pass")
    )
    if failed or warnings:
        problems = [f"{failed} failed"] * bool(failed) + [_count(warnings, "warning")] * bool(warnings)
        return "❌" if failed else "⚠️", f"Doctor: {', '.join(problems)}, {passed} passed"
    return "", f"Doctor: {_count(passed, 'check')} passed"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
