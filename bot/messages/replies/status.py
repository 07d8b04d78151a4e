"""Render the replies to `/swarm status`: a list of runs, or one run.

In: runs, each with its fleet's state if it is a fleet's run. Out: private messages without buttons, because buttons
work only in a run's own message. Pure.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.messages.block_kit import SECTION_LIMIT, Message, duration, ephemeral, section
from bot.messages.escape import escape_mrkdwn
from bot.messages.next_steps import typed_steps, without_buttons
from bot.messages.runs import fleet_message, run_text
from bot.state import fleet_state
from bot.state.fleet_state import FleetState, RunWithFleet
from bot.state.next_steps import next_steps
from bot.state.run_state import RunState
from imker.text import truncate

MAX_LISTED, MAX_COMMAND_TEXT = 16, 60  # lines; characters of a command or a status


def run_details(state: RunState, fleet: FleetState | None) -> Message:
    """Return the run's message with typed commands instead of buttons."""
    message = fleet_message.render_any(state, fleet)
    commands = typed_steps(step for step in next_steps(state, fleet) if step.name != "details")
    blocks = without_buttons(message.blocks) + ([section(commands)] if commands else [])
    return replace(message, blocks=tuple(blocks))


def run_list(runs: Sequence[RunWithFleet]) -> Message:
    """List running, then waiting, then finished runs, newest first. A fleet is listed before its hosts."""
    rows = sorted(runs, key=lambda run: (_rank(*run), bool(run[0].record.parent_run), -run[0].record.requested_at))
    lines = [_line(*run) for run in rows[:MAX_LISTED]]
    more = [f"and {len(rows) - MAX_LISTED} more"] if len(rows) > MAX_LISTED else []
    text = truncate("\n".join([*lines, *more]), SECTION_LIMIT)
    return ephemeral(text or "No runs yet. `/swarm help` lists the commands.")


def _line(state: RunState, fleet: FleetState | None) -> str:
    mark, status = fleet_message.summary(fleet) if fleet else (run_text.emoji(state), run_text.status_text(state))
    record = state.record
    ago = duration(state.now - record.requested_at)
    request_text = f"{escape_mrkdwn(truncate(record.command_text, MAX_COMMAND_TEXT))}  <@{record.requester}>, {ago} ago"
    return f"{mark} `{record.run}`  {request_text}  {escape_mrkdwn(truncate(status, MAX_COMMAND_TEXT))}"


def _rank(state: RunState, fleet: FleetState | None) -> int:
    if fleet:
        return {"planning": 0, "running": 0, "finished": 2}.get(fleet_state.fleet_status(fleet), 1)
    return {"running": 0, "queued": 0, "waiting": 2 if state.expired else 1}.get(state.status, 2)
