"""Emit a plan: its steps for the run's message, its file diffs for the thread."""

from imker.protocol.events import Planned, ThreadDetail
from jobs import daemon_options, plan
from jobs.context import JobContext
from jobs.daemon_options import FileEdit, diff
from jobs.steps.titles import describe_step

MAX_DETAIL_LENGTH = 2500  # characters that a Slack reply shows in full


def diff_details(host: str, edits: tuple[FileEdit, ...]) -> tuple[ThreadDetail, ...]:
    """Return each file's diff, split into as many details as its length needs."""
    return tuple(detail for edit in edits for detail in _split_detail(f"{host}: changes in {edit.path}", diff((edit,))))


def _split_detail(title: str, text: str) -> list[ThreadDetail]:
    pieces = [""]
    for line in text.splitlines(keepends=True):
        if pieces[-1] and len(pieces[-1]) + len(line) > MAX_DETAIL_LENGTH:
            pieces.append("")
        pieces[-1] += line
    numbers = [f" ({number} of {len(pieces)})" if len(pieces) > 1 else "" for number in range(1, len(pieces) + 1)]
    return [ThreadDetail(title + number, piece) for number, piece in zip(numbers, pieces, strict=True)]


def build_plan_event(plan: plan.Plan) -> Planned:
    """Return the plan as an event."""
    lines = tuple(map(describe_step, plan.steps))
    return Planned(lines, plan.findings, daemon_options.diff(plan.edits), plan.fingerprint)


def emit_plan(context: JobContext, name: str, plan: plan.Plan) -> None:
    """Emit the plan, and each file's diff as a detail of the thread."""
    context.events.emit(build_plan_event(plan))
    for detail in diff_details(name, plan.edits):
        context.events.emit(detail)
