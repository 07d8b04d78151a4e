"""Render the Home tab: the swarm, what waits for its reader, what runs, and what the reader may do. Pure.

In: what the reader may see, already filtered by the rights. Out: a view of at most 100 blocks.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bot.auth.policy import Denied
from bot.messages.block_kit import LINE_LIMIT, Block, context, section
from bot.messages.escape import escape_mrkdwn
from bot.messages.next_steps import step_buttons
from bot.messages.replies import responses
from bot.messages.replies.command_help import FORM_BUTTONS, task_lines
from bot.messages.replies.responses import AllowedCommands
from bot.messages.runs import fleet_message, run_text
from bot.messages.runs.headline import headline
from bot.messages.runs.node_summary import node_result
from bot.messages.runs.question import question_text
from bot.messages.views.form import View, form_buttons
from bot.state.fleet_state import FleetState
from bot.state.next_step import NextStep
from bot.state.run_state import RunState
from imker.protocol.events import NodeTable
from imker.text import truncate

MAX_WAITING, MAX_RUNNING, MAX_RECENT, MAX_GROUPS = 10, 10, 5, 3
FORM_LABELS = {**FORM_BUTTONS, "": "Other command"}
ORIGIN_BLOCK = "swarm origin"  # ID of the block with the time of the node table, which changes all the time
REDIS_DOWN = "Redis does not respond, so Home can't be shown. Open it again in a minute."


@dataclass(frozen=True)
class HomeRun:
    """A run. `answers`: those to its open question that the reader may give, () if it does not wait for them."""

    state: RunState
    fleet: FleetState | None = None
    answers: tuple[NextStep, ...] = ()


@dataclass(frozen=True)
class HomePage:
    """What the reader may see. `allowed`: commands that they may use, by channel; `nodes`: the last node table.

    `incidents`: a line for each open incident of the watch.
    """

    allowed: Mapping[str, AllowedCommands]
    nodes: NodeTable | None = None
    incidents: tuple[str, ...] = ()
    waiting: tuple[HomeRun, ...] = ()
    running: tuple[HomeRun, ...] = ()
    recent: tuple[HomeRun, ...] = ()


def render(page: HomePage) -> View:
    """Return the Home tab."""
    return _view(
        [
            *_swarm(page.nodes, page.incidents),
            *_waiting(page.waiting),
            *_list("Running", page.running[:MAX_RUNNING], len(page.running)),
            *_list("Last runs", page.recent[:MAX_RECENT], 0),
            *_buttons(page),
            *_rights(page),
        ]
    )


def denied(refusal: Denied) -> View:
    """Return the Home tab of a user who may see nothing: that, and who to ask."""
    return _view(list(responses.denied(refusal).blocks))


def unavailable() -> View:
    """Return the Home tab while Redis does not respond."""
    return _view([section(REDIS_DOWN)])


def _swarm(nodes: NodeTable | None, incidents: tuple[str, ...]) -> list[Block]:
    if nodes is None:
        return []
    mark, line = node_result(nodes)
    origin = f"Reported by {escape_mrkdwn(nodes.answered_by)}, {_date(nodes.taken_at)}"
    summary = section(f"{mark or '✅'} {escape_mrkdwn(line)}")
    wrong = [section("\n".join(incidents))] if incidents else []
    return [_header("Swarm"), summary, *wrong, {**context(origin), "block_id": ORIGIN_BLOCK}]


def _waiting(runs: tuple[HomeRun, ...]) -> list[Block]:
    items = [block for run in runs[:MAX_WAITING] for block in _question(run)]
    more = [context(f"and {len(runs) - MAX_WAITING} more: `/swarm status`")] if len(runs) > MAX_WAITING else []
    return [_header("Waiting for you"), *(items or [section("Nothing is waiting for you.")]), *more]


def _question(run: HomeRun) -> list[Block]:
    """Return a question with those of its buttons that the reader may press."""
    record = run.state.record
    text = "\n".join(filter(None, (_line(run), question_text(run.state))))
    steps = [step for step in run.answers if step.choice != "start"]
    is_start = len(steps) < len(run.answers)
    by_message = [context(f"Read the plan and start it in <#{record.channel}>.")] if is_start else []
    return [
        section(text),
        *by_message,
        *({**row, "block_id": f"home {record.run}"} for row in step_buttons(record, steps)),
    ]


def _list(title: str, runs: tuple[HomeRun, ...], total: int) -> list[Block]:
    if not runs:
        return []
    more = [f"and {total - len(runs)} more: `/swarm status`"] if total > len(runs) else []
    return [_header(title), section("\n".join([*map(_line, runs), *more]))]


def _line(run: HomeRun) -> str:
    """Return the run in one line: its headline, who requested it, when, and where."""
    record = run.state.record
    origin = f"<@{record.requester}>, {_date(record.requested_at)}, <#{record.channel}>"
    return f"{_headline(run)}  ·  {origin}  ·  `{record.run}`"


def _headline(run: HomeRun) -> str:
    if run.fleet is None:
        return headline(run.state)
    mark, status = fleet_message.summary(run.fleet)
    return f"{mark} *{escape_mrkdwn(run_text.title(run.state))}*  {truncate(escape_mrkdwn(status), LINE_LIMIT)}"


def _buttons(page: HomePage) -> list[Block]:
    """Return buttons that open forms."""
    names = {name for allowed in page.allowed.values() for name in allowed}
    elements = form_buttons((*names, ""), FORM_LABELS)
    return [{"type": "actions", "block_id": "home forms", "elements": elements}]


def _rights(page: HomePage) -> list[Block]:
    """Return what the reader may do, once for all channels with the same rights."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for channel, allowed in page.allowed.items():
        groups.setdefault(tuple(task_lines(allowed)), []).append(f"<#{channel}>")
    sections = [
        block
        for lines, channels in list(groups.items())[:MAX_GROUPS]
        for block in (section(f"In {', '.join(channels)}:"), *map(section, lines))
    ]
    return [_header("What you may do"), *sections]


def _view(blocks: list[Block]) -> View:
    return {"type": "home", "blocks": blocks}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _date(at: float) -> str:
    """Return a date and time that Slack shows in the reader's time zone. `at`: UNIX seconds."""
    fallback = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{fallback}>"
