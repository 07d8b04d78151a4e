"""Watch the swarm: request the observations that are due, and fold new ones into the watch's state.

In: the watch's values in Redis, and the runs. Out: RQ jobs, and the state. It needs no Slack, so that the state stays
current while Slack is slow; `incident_messages` posts what follows from it.
"""

import time
from collections.abc import Callable

import structlog
from redis.exceptions import NoPermissionError, RedisError

from bot.records import DAY
from bot.runs.snapshots import RunSnapshot
from bot.runs.store import RunStore
from bot.runs.watch_store import WatchSnapshot
from bot.watch.fold import fold_hosts, fold_swarm, start_again
from bot.watch.model import OwnChanges, WatchState
from bot.watch.own_changes import find_own_changes
from bot.watch.schedule import HOSTS_INTERVAL, swarm_interval
from imker.protocol.commands import Request
from imker.protocol.run_id import run_id
from imker.protocol.version import CHANGES_QUEUE
from imker.protocol.watch_commands import ObserveHosts, ObserveSwarm, WatchCommand

logger = structlog.get_logger()
RECENT_RUNS = 30  # latest runs that may have ended since the last observation


class Watcher:
    """`every`: seconds between two observations of the swarm; `clock`: UNIX seconds."""

    def __init__(self, runs: RunStore, every: float, clock: Callable[[], float] = time.time) -> None:
        self._runs = runs
        self._every = every
        self._clock = clock
        self._requested: dict[type[WatchCommand], tuple[Request, float]] = {}  # the latest, and when
        self._problem = ""  # the latest error, which is logged once

    def watch(self, is_leader: Callable[[], bool] = lambda: True) -> None:
        """Do what is due, while this process leads. Raises RedisError only."""
        try:
            if is_leader():
                self._watch()
            self._problem = ""
        except NoPermissionError as error:
            self._log_once("the Redis users are older than this version: the watch is off", error)
        except RedisError:
            raise
        except Exception as error:
            self._log_once("could not watch the swarm", error)

    def _watch(self) -> None:
        snapshot = self._runs.watch.snapshot()
        if not snapshot.mode.is_on:
            if snapshot.state.observed_at:
                self._runs.watch.save_state(start_again(snapshot.state))
            return
        state = self._fold_new(snapshot)
        if snapshot.has_swarm:
            self._request_if_due(ObserveSwarm(), state.observed_at, swarm_interval(state, self._every))
            self._request_if_due(ObserveHosts(), state.hosts_observed_at, HOSTS_INTERVAL)

    def _fold_new(self, snapshot: WatchSnapshot) -> WatchState:
        """Return the state after the observations that are new, and save it."""
        state, muted_until = snapshot.state, snapshot.mode.muted_until
        swarm, hosts = snapshot.observation, snapshot.host_observation
        if swarm and swarm.taken_at != state.observed_at:
            own_changes = self._own_changes(state.observed_at)
            state = fold_swarm(state, swarm, own_changes, is_muted=muted_until > swarm.taken_at)
        if hosts and hosts.taken_at != state.hosts_observed_at:
            own_changes = self._own_changes(state.hosts_observed_at)
            state = fold_hosts(state, hosts, own_changes, is_muted=muted_until > hosts.taken_at)
        if state is not snapshot.state:
            self._runs.watch.save_state(state)
        return state

    def _own_changes(self, since: float) -> OwnChanges:
        records = {record.run: record for record in (*self._runs.open_records(), *self._runs.recent(RECENT_RUNS))}
        changing = [run for run, record in records.items() if record.command.queue == CHANGES_QUEUE]
        snapshots: list[RunSnapshot] = list(self._runs.snapshots(changing))
        return find_own_changes((snapshot.state for snapshot in snapshots), since)

    def _request_if_due(self, command: WatchCommand, observed_at: float, interval: float) -> None:
        """Enqueue the command unless its last job has not ended, so that looks do not pile up while no worker runs."""
        now = self._clock()
        request, requested_at = self._requested.get(type(command), (None, 0.0))
        latest = max(observed_at, requested_at)
        if 0 <= now - latest < interval:
            return
        if request and now < request.expires_at and self._runs.is_outstanding(request):
            return
        run = run_id(f"watch {command.type} {int(now)}")
        request = Request(run, 1, command, "", expires_at=now + DAY)
        self._runs.enqueue_once(request)
        self._requested[type(command)] = request, now

    def _log_once(self, text: str, error: Exception) -> None:
        if self._problem != repr(error):
            logger.warning(text, error=repr(error), exc_info=not isinstance(error, RedisError))
        self._problem = repr(error)
