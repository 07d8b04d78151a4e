"""What `/swarm status` answers: a list of runs, or one of them. Pure.

In: runs, each with the fleet if it is a fleet's. Out: private messages, without buttons: those work in a run's own
message only.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot import fleet, fleet_blocks, wording
from bot.blocks import typed
from bot.escape import cut, mrkdwn
from bot.fleet import FleetView
from bot.kit import SECTION, Message, duration, private, section
from bot.progress import RunView

LISTED, TYPED = 16, 60  # lines; characters of what was typed
Run = tuple[RunView, FleetView | None]


def one(view: RunView, whole: FleetView | None) -> Message:
    message = fleet_blocks.shown(view, whole)
    blocks = (section(typed(view)) if block["type"] == "actions" else block for block in message.blocks)
    return replace(message, blocks=tuple(blocks))


def listed(runs: Sequence[Run]) -> Message:
    """Those going on first, then those that wait, then the last ones; newest first within, hosts after their fleet."""
    rows = sorted(runs, key=lambda run: (_rank(*run), bool(run[0].record.part_of), -run[0].record.asked_at))
    lines = [_line(*run) for run in rows[:LISTED]]
    more = [f"and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
    return private(cut("\n".join([*lines, *more]), SECTION) or "No runs yet. `/swarm help` shows what there is.")


def _line(view: RunView, whole: FleetView | None) -> str:
    mark, says = fleet_blocks.brief(whole) if whole else (wording.mark(view), wording.short(view))
    record = view.record
    ago = duration(view.now - record.asked_at)
    asked = f"{mrkdwn(cut(record.text, TYPED))}  <@{record.asker}>, {ago} ago"
    return f"{mark} `{record.run}`  {asked}  {mrkdwn(cut(says, TYPED))}"


def _rank(view: RunView, whole: FleetView | None) -> int:
    if whole:
        return {"planning": 0, "going": 0, "over": 2}.get(fleet.state(whole), 1)
    return {"running": 0, "queued": 0, "waiting": 2 if view.expired else 1}.get(view.state, 2)
