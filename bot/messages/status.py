"""What `/swarm status` answers: a list of runs, or one of them. Pure.

In: runs, each with the fleet if it is a fleet's. Out: private messages, without buttons: those work in a run's own
message only.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.messages import fleet_message, run_text
from bot.messages.block_kit import SECTION_LIMIT, Message, duration, ephemeral, section
from bot.messages.escape import escape_mrkdwn
from bot.messages.question import typed_choices
from bot.state import fleet_state
from bot.state.fleet_state import FleetState, RunWithFleet
from bot.state.run_state import RunState
from imker.text import truncate

MAX_LISTED, MAX_COMMAND_TEXT = 16, 60  # lines; characters of what was typed


def run_details(view: RunState, fleet: FleetState | None) -> Message:
    message = fleet_message.render_any(view, fleet)
    blocks = (section(typed_choices(view)) if block["type"] == "actions" else block for block in message.blocks)
    return replace(message, blocks=tuple(blocks))


def run_list(runs: Sequence[RunWithFleet]) -> Message:
    """Those going on first, then those that wait, then the last ones; newest first within, hosts after their fleet."""
    rows = sorted(runs, key=lambda run: (_rank(*run), bool(run[0].record.parent_run), -run[0].record.requested_at))
    lines = [_line(*run) for run in rows[:MAX_LISTED]]
    more = [f"and {len(rows) - MAX_LISTED} more"] if len(rows) > MAX_LISTED else []
    return ephemeral(
        truncate("\n".join([*lines, *more]), SECTION_LIMIT) or "No runs yet. `/swarm help` shows what there is."
    )


def _line(view: RunState, fleet: FleetState | None) -> str:
    mark, says = fleet_message.summary(fleet) if fleet else (run_text.emoji(view), run_text.status_text(view))
    record = view.record
    ago = duration(view.now - record.requested_at)
    request_text = f"{escape_mrkdwn(truncate(record.command_text, MAX_COMMAND_TEXT))}  <@{record.requester}>, {ago} ago"
    return f"{mark} `{record.run}`  {request_text}  {escape_mrkdwn(truncate(says, MAX_COMMAND_TEXT))}"


def _rank(view: RunState, fleet: FleetState | None) -> int:
    if fleet:
        return {"planning": 0, "going": 0, "over": 2}.get(fleet_state.fleet_status(fleet), 1)
    return {"running": 0, "queued": 0, "waiting": 2 if view.expired else 1}.get(view.status, 2)
