"""Read the metrics that are a state, and no count, when they are asked for: open runs, queues, processes, the swarm."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError

from bot.reconciler.metrics.refusals import RefusalCounter
from bot.state.run_state import RunState, RunStatus
from imker import signing
from imker.audit_log import AuditLog, AuditLogBroken
from imker.health import count_workers
from imker.protocol.events import NodeTable
from imker.protocol.version import BOT_CONNECTED_KEY, CHANGES_QUEUE, LAST_NODES_KEY, READS_QUEUE, RECONCILER_KEY
from imker.signing import SigningKey

RUN_STATES = get_args(RunStatus)
_TABLE_ADAPTER: TypeAdapter[NodeTable] = TypeAdapter(NodeTable)


class StateCollector(Collector):
    """Collect from Redis and from the reconciler's runs. A part that Redis does not give is left out.

    `open_runs`: returns the latest states; `clock`: UNIX seconds.
    """

    def __init__(
        self,
        redis: "Redis",
        key: SigningKey,
        open_runs: Callable[[], Mapping[str, RunState]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._key = key
        self._open_runs = open_runs
        self._clock = clock
        self._refusals = RefusalCounter(AuditLog(redis))

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics."""
        yield from self._runs()
        is_up = True
        for collect in (self._processes, self._queues, self._audit_log, self._swarm):
            try:
                yield from list(collect())
            except RedisError:
                is_up = False
        yield _gauge("imker_redis_up", "Whether Redis answered everything that it was asked for", float(is_up))

    def _runs(self) -> Iterator[Metric]:
        states = self._open_runs().values()
        counts = Counter(state.status for state in states)
        family = GaugeMetricFamily("imker_open_runs", "Open runs by state", labels=["state"])
        for name in RUN_STATES:
            family.add_metric([name], counts[name])
        yield family
        yield self._question_ages(states)

    def _question_ages(self, states: Iterable[RunState]) -> Metric:
        ages: dict[str, float] = {}
        for state in states:
            if state.status == "waiting" and state.question and state.question.asked_at:
                age = max(0.0, self._clock() - state.question.asked_at.unix)
                ages[state.question.question] = max(age, ages.get(state.question.question, 0.0))
        family = GaugeMetricFamily(
            "imker_question_age_seconds", "Seconds that the oldest open question of its kind waits", labels=["question"]
        )
        for question, age in ages.items():
            family.add_metric([question], age)
        return family

    def _processes(self) -> Iterator[Metric]:
        yield _gauge("imker_slack_connected", "1 while a bot is connected to Slack", self._exists(BOT_CONNECTED_KEY))
        yield _gauge("imker_reconciler_leader", "1 while a reconciler has the lease", self._exists(RECONCILER_KEY))
        family = GaugeMetricFamily("imker_workers", "Living RQ workers of a queue", labels=["queue"])
        for queue in (CHANGES_QUEUE, READS_QUEUE):
            family.add_metric([queue], count_workers(self._redis, queue))
        yield family

    def _queues(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("imker_queue_jobs", "Jobs that wait in a queue", labels=["queue"])
        for queue in (CHANGES_QUEUE, READS_QUEUE):
            length: Any = self._redis.llen(f"rq:queue:{queue}")
            family.add_metric([queue], length)
        yield family

    def _audit_log(self) -> Iterator[Metric]:
        refusals = CounterMetricFamily("imker_refused", "Refused commands, clicks, and jobs", labels=["why"])
        entries, is_broken = 0, False
        try:
            entries = self._refusals.update()
        except AuditLogBroken:
            is_broken = True
        for why, count in self._refusals.counts.items():
            refusals.add_metric([why], count)
        yield refusals
        yield _gauge("imker_audit_entries", "Entries of the audit log", entries)
        yield _gauge("imker_audit_broken", "1 if the audit log in Redis cannot be read or extended", float(is_broken))

    def _swarm(self) -> Iterator[Metric]:
        """Yield the nodes as the managers listed them last, if they ever did."""
        text = signing.open_signed(self._key, LAST_NODES_KEY, self._redis.get(LAST_NODES_KEY))
        try:
            table = _TABLE_ADAPTER.validate_json(text) if text else None
        except ValueError:  # of another version
            table = None
        if table:
            yield from _swarm_metrics(table, self._clock())

    def _exists(self, key: str) -> float:
        return float(bool(self._redis.get(key)))


def _swarm_metrics(table: NodeTable, now: float) -> Iterator[Metric]:
    nodes = GaugeMetricFamily(
        "swarm_nodes", "Nodes of the swarm, as a manager listed them last", labels=["state", "availability", "role"]
    )
    managers = [row for row in table.rows if row.manager_status]
    counts = Counter(
        (row.status, row.availability, "manager" if row.manager_status else "worker") for row in table.rows
    )
    for labels, count in counts.items():
        nodes.add_metric([text.lower() for text in labels], count)
    reachable = sum(row.status == "Ready" and row.manager_status in ("Leader", "Reachable") for row in managers)
    yield nodes
    yield _gauge("swarm_managers", "Managers of the swarm", len(managers))
    yield _gauge("swarm_managers_reachable", "Managers that the leader reaches", reachable)
    spare = reachable - (len(managers) // 2 + 1)
    yield _gauge("swarm_tolerates", "Managers whose loss the swarm survives; negative without a quorum", spare)
    yield _gauge("swarm_watch_age_seconds", "Seconds since a manager listed the nodes", max(0.0, now - table.taken_at))


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(name, description, value=value)
