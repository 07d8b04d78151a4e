"""Render the Home tab: the swarm, what waits for its reader, what runs, and what the reader may do. Pure.

In: what the reader may see, already filtered by the rights. Out: a view of at most 100 blocks.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bot.auth.policy import Denied
from bot.messages import fleet_message, responses, run_text
from bot.messages.block_kit import LINE_LIMIT, Block, button, context, section
from bot.messages.command_help import FORM_BUTTONS, task_lines
from bot.messages.escape import escape_mrkdwn
from bot.messages.form import View, form_buttons
from bot.messages.question import BUTTONS, question_text
from bot.messages.responses import AllowedCommands
from bot.records import Choice
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState
from imker.protocol.events import NodeTable
from imker.protocol.values import NodeRow
from imker.text import truncate

MAX_WAITING, MAX_RUNNING, MAX_RECENT, MAX_CHANNELS = 10, 10, 5, 3
MAX_NAMED = 5  # nodes that the swarm's line names
FORM_LABELS = {**FORM_BUTTONS, "": "Other command"}
REDIS_DOWN = "Redis does not respond, so Home can't be shown. Open it again in a minute."


@dataclass(frozen=True)
class HomeRun:
    """A run. `choices`: the answers to its open question that the reader may give, () if it does not wait for them."""

    state: RunState
    fleet: FleetState | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class HomePage:
    """What the reader may see. `allowed`: commands that they may use, by channel; `nodes`: the last node table."""

    allowed: Mapping[str, AllowedCommands]
    nodes: NodeTable | None = None
    waiting: tuple[HomeRun, ...] = ()
    running: tuple[HomeRun, ...] = ()
    recent: tuple[HomeRun, ...] = ()


def render(page: HomePage) -> View:
    """Return the Home tab."""
    return _view(
        [
            *_swarm(page.nodes),
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


def swarm_line(rows: tuple[NodeRow, ...]) -> str:
    """Return the state of the swarm in one line."""
    down = [row.hostname for row in rows if row.status != "Ready"]
    managers = [row for row in rows if row.manager_status]
    lost = [row.hostname for row in managers if row.manager_status not in ("Leader", "Reachable")]
    spare = len(managers) - len(lost) - (len(managers) // 2 + 1)
    quorum = f"survives the loss of {spare}" if spare >= 0 else "quorum lost"
    counts = f"{_count(len(managers), 'manager')} ({quorum})"
    troubled = list(dict.fromkeys([*down, *lost]))
    if not troubled:
        return f"✅ {_count(len(rows), 'node')}, all Ready; {counts}"
    names = ", ".join(f"`{escape_mrkdwn(name)}`" for name in troubled[:MAX_NAMED])
    more = f" and {len(troubled) - MAX_NAMED} more" if len(troubled) > MAX_NAMED else ""
    verb = "is" if len(troubled) == 1 else "are"
    return f"⚠️ {names}{more} {verb} not Ready; {_count(len(rows), 'node')}, {counts}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _swarm(nodes: NodeTable | None) -> list[Block]:
    if nodes is None:
        return []
    origin = f"Reported by {escape_mrkdwn(nodes.answered_by)}, {_date(nodes.taken_at)}"
    return [_header("Swarm"), section(swarm_line(nodes.rows)), context(origin)]


def _waiting(runs: tuple[HomeRun, ...]) -> list[Block]:
    items = [block for run in runs[:MAX_WAITING] for block in _question(run)]
    more = [context(f"and {len(runs) - MAX_WAITING} more: `/swarm status`")] if len(runs) > MAX_WAITING else []
    return [_header("Waiting for you"), *(items or [section("Nothing waits for you.")]), *more]


def _question(run: HomeRun) -> list[Block]:
    """Return a question with those of its buttons that the reader may press."""
    record, question = run.state.record, run.state.question
    text = "\n".join(filter(None, (_line(run), question_text(run.state))))
    buttons = [
        button(label, f"run.{choice}", f"{record.run}:{record.job_count}", style)
        for label, choice, style in (BUTTONS[question.question] if question else ())
        if choice in run.choices and choice != "start"
    ]
    by_message = [context(f"Read the plan and start it in <#{record.channel}>.")] if "start" in run.choices else []
    actions: list[Block] = [{"type": "actions", "block_id": f"home {record.run}", "elements": buttons}]
    return [section(text), *by_message, *(actions if buttons else [])]


def _list(title: str, runs: tuple[HomeRun, ...], total: int) -> list[Block]:
    if not runs:
        return []
    more = [f"and {total - len(runs)} more: `/swarm status`"] if total > len(runs) else []
    return [_header(title), section("\n".join([*map(_line, runs), *more]))]


def _line(run: HomeRun) -> str:
    """Return the run in one line: mark, title, status, who requested it, when, and where."""
    state, record = run.state, run.state.record
    mark, status = (
        fleet_message.summary(run.fleet) if run.fleet else (run_text.emoji(state), run_text.status_text(state))
    )
    title, status = escape_mrkdwn(run_text.title(state)), truncate(escape_mrkdwn(status), LINE_LIMIT)
    origin = f"<@{record.requester}>, {_date(record.requested_at)}, <#{record.channel}>"
    return f"{mark} *{title}*  {status}  ·  {origin}  ·  `{record.run}`"


def _buttons(page: HomePage) -> list[Block]:
    """Return buttons that open forms."""
    names = {name for allowed in page.allowed.values() for name in allowed}
    elements = form_buttons((*names, ""), FORM_LABELS)
    return [{"type": "actions", "block_id": "home forms", "elements": elements}]


def _rights(page: HomePage) -> list[Block]:
    blocks = [_header("What you may do")]
    for channel, allowed in list(page.allowed.items())[:MAX_CHANNELS]:
        blocks += [section(f"In <#{channel}>:"), *map(section, task_lines(allowed))]
    return blocks


def _view(blocks: list[Block]) -> View:
    return {"type": "home", "blocks": blocks}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _date(at: float) -> str:
    """Return a date and time that Slack shows in the reader's time zone. `at`: UNIX seconds."""
    fallback = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{fallback}>"
