"""Keep the Home tab of those who opened it recently current.

In: the open and the latest runs, the last node table, and the rights of each viewer. Out: `views.publish`, at most one
call per viewer in ten seconds.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog
from redis.exceptions import NoPermissionError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.auth.permissions import Permission
from bot.auth.policy import Actor, Allowed, Denied
from bot.handlers.access import Access
from bot.handlers.status import run_with_fleet
from bot.messages.block_kit import Message
from bot.messages.links import add_references, run_ids
from bot.messages.views import home
from bot.messages.views.form import View
from bot.messages.views.home import HomePage, HomeRun
from bot.messages.watch.status import open_lines
from bot.records import ALL_HOSTS
from bot.runs.store import RunStore
from bot.slack.errors import RATE_LIMITED
from bot.state.fleet_state import FleetState, RunWithFleet, is_final
from bot.state.next_step import NextStep
from bot.state.next_steps import next_steps
from bot.state.run_state import RunState
from imker.protocol.events import NodeTable

log = structlog.get_logger()
PUBLISH_INTERVAL = 10.0  # seconds between two calls for one viewer
LOOK_INTERVAL = 5.0  # seconds between two looks for changes
NODES_INTERVAL = 300.0  # seconds after which a newer node table without a change is shown
MAX_RUNS = 30  # latest runs that are looked at


@dataclass(frozen=True)
class _Published:
    """What a viewer's Home tab shows. `opened_at`: UNIX seconds; `at`: monotonic seconds."""

    opened_at: float
    at: float
    digest: str = ""


@dataclass(frozen=True)
class HomeSource:
    """What all Home tabs are made of. `incidents`: a line for each open incident of the watch."""

    runs: tuple[RunWithFleet, ...]
    nodes: NodeTable | None
    incidents: tuple[str, ...]


class HomePublisher:
    """`access`: returns the rights, and asks Slack on the first call; `clock`: UNIX seconds; `monotonic`: seconds."""

    def __init__(
        self,
        runs: RunStore,
        client: WebClient,
        access: Callable[[], Access],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs = runs
        self._client = client
        self._access = access
        self._clock = clock
        self._monotonic = monotonic
        self._published: dict[str, _Published] = {}
        self._looked_at: float | None = None

    def publish_due(self) -> None:
        """Publish the Home tabs that were opened or have changed, unless they were published just before."""
        viewers = self._runs.home.recent(self._clock())
        self._published = {user: self._published[user] for user, _ in viewers if user in self._published}
        due = [(user, at) for user, at in viewers if self._is_due(user, at)]
        if not due:
            return
        self._looked_at, source = self._monotonic(), self._load()
        for user, opened_at in due:
            self._publish(user, opened_at, source)

    def _is_due(self, user: str, opened_at: float) -> bool:
        """Return whether the viewer just opened Home, or has not been looked at for a while."""
        last, now = self._published.get(user), self._monotonic()
        if last is None:
            return True
        if now - last.at < PUBLISH_INTERVAL:
            return False
        return opened_at > last.opened_at or self._looked_at is None or now - self._looked_at >= LOOK_INTERVAL

    def _publish(self, user: str, opened_at: float, source: HomeSource) -> None:
        """Publish one Home tab if it was opened or differs. One user's error does not affect the others."""
        last = self._published.get(user)
        view = self._view(user, source)
        digest = _digest(view, source)
        if last and last.digest == digest and opened_at <= last.opened_at:
            return
        self._published[user] = _Published(opened_at, self._monotonic(), digest)
        try:
            self._client.views_publish(user_id=user, view=view)
        except SlackApiError as error:
            if error.response.status_code == RATE_LIMITED:
                raise
            log.warning("could not publish Home", user=user, error=str(error))

    def _load(self) -> HomeSource:
        records = {record.run: record for record in (*self._runs.open_records(), *self._runs.recent(MAX_RUNS))}
        newest = sorted(records.values(), key=lambda record: -record.requested_at)
        runs = tuple(run_with_fleet(self._runs, each) for each in self._runs.snapshots(record.run for record in newest))
        return HomeSource(runs, self._last_nodes(), tuple(open_lines(self._runs.watch.state())))

    def _last_nodes(self) -> NodeTable | None:
        try:
            return self._runs.last_nodes()
        except NoPermissionError:  # the Redis users are older than this version
            return None

    def _view(self, user: str, source: HomeSource) -> View:
        access = self._access()
        actor = access.fetch_actor(user, fresh=False)
        channels = access.joined_channels(user)
        checked = [
            access.authorize(actor, Permission("status"), channel) for channel in channels or access.channels[:1]
        ]
        refusal = next((each for each in checked if isinstance(each, Denied)), Denied(NOT_A_MEMBER))
        if not channels or not any(isinstance(each, Allowed) for each in checked):
            return home.denied(refusal)
        runs = tuple(run for run in source.runs if not self._runs.is_hidden(run[0].record, user))
        return self._with_links(home.render(build_page(access, actor, channels, replace(source, runs=runs))))

    def _with_links(self, view: View) -> View:
        """Return the view with links to the messages of the runs that it names, and hosts as code."""
        message = Message("", tuple(view["blocks"]))
        links = self._runs.posted_messages.links(run_ids(message))
        return {**view, "blocks": list(add_references(message, links, self._runs.hosts()).blocks)}


NOT_A_MEMBER = "you aren't a member of a channel in which Imker accepts commands"


def _digest(view: View, source: HomeSource) -> str:
    """Return a digest of what the view shows. The time of the node table counts in steps of NODES_INTERVAL."""
    blocks = [block for block in view["blocks"] if block.get("block_id") != home.ORIGIN_BLOCK]
    step = int(source.nodes.taken_at // NODES_INTERVAL) if source.nodes else 0
    return hashlib.sha256(json.dumps([blocks, step], sort_keys=True).encode()).hexdigest()


def build_page(access: Access, actor: Actor, channels: Iterable[str], source: HomeSource) -> HomePage:
    """Return what this person may see. `channels`: those that they are a member of."""
    allowed = {channel: access.allowed_commands(actor, channel) for channel in channels}
    allowed = {channel: commands for channel, commands in allowed.items() if set(commands) - {"help"}}
    may_list_nodes = any(
        isinstance(access.authorize(actor, Permission("nodes", ALL_HOSTS), channel), Allowed) for channel in allowed
    )
    page = HomePage(allowed, *((source.nodes, source.incidents) if may_list_nodes else (None, ())))
    for state, fleet in source.runs:
        if state.record.channel in allowed and access.may_see(actor, state.record, state.record.channel):
            page = _add(page, HomeRun(state, fleet, _answers(access, actor, state, fleet)))
    return page


def _add(page: HomePage, run: HomeRun) -> HomePage:
    """Add the run to the list that it belongs to. A fleet's hosts are listed only if they wait for the reader."""
    if run.answers:
        return replace(page, waiting=(*page.waiting, run))
    if run.state.record.parent_run:
        return page
    if is_final(run.state, run.fleet):
        return replace(page, recent=(*page.recent, run))
    return replace(page, running=(*page.running, run))


def _answers(access: Access, actor: Actor, state: RunState, fleet: FleetState | None) -> tuple[NextStep, ...]:
    """Return the answers that this person may give now, () if the run does not wait for them.

    To be able to cancel is no reason to be waited for.
    """
    question = state.question
    if state.status != "waiting" or question is None or state.expired:
        return ()
    if any(approval.user == actor.user for approval in state.record.partial_approvals):
        return ()
    answers = tuple(
        step
        for step in next_steps(state, fleet)
        if step.choice and isinstance(access.authorize_decision(actor, state.record, question, step.choice), Allowed)
    )
    return answers if any(step.choice != "cancel" for step in answers) else ()
