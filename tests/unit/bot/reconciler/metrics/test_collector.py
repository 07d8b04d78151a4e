"""Collect metrics from runs and a real Redis, and serve them over HTTP."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from bot.listeners.heartbeat import Heartbeat
from bot.reconciler.metrics.address import metrics_address
from bot.reconciler.metrics.collector import StateCollector
from bot.reconciler.metrics.prometheus import PrometheusRecorder
from bot.reconciler.metrics.run_observer import RunObserver
from bot.reconciler.metrics.server import serve
from bot.records import RunRecord
from bot.state.run_state import RunState, StepState
from imker import signing
from imker.audit_log import HEAD_KEY, AuditLog
from imker.clock import Timestamp
from imker.hash_chain import AuditFact
from imker.protocol.commands import Migrate
from imker.protocol.events import DecisionRequested, JobFinished, NodeTable
from imker.protocol.values import NodeRow
from imker.protocol.version import LAST_NODES_KEY, RECONCILER_KEY
from imker.signing import SigningKey

ROOT = Path(__file__).parents[5]
KEY = SigningKey("k" * 64)
NOW = 1_795_440_000.0
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz", "manager"), "migrate kaditz", "U01ALICE", "C01OPS", NOW - 100)
QUESTION = DecisionRequested("accept", "f00d", asked_at=Timestamp(NOW - 90, "boot", 1.0))
WAITING = RunState(RECORD, "waiting", NOW, question=QUESTION)
STEP = StepState("JoinSwarm", "Join the swarm", "", "done", started_at=NOW - 8, ended_at=NOW - 4)
DONE = RunState(RECORD, "finished", NOW, steps=(STEP,), outcome=JobFinished("done", "x"), finished_at=NOW - 40)
NAME = re.compile(r"\b(?:imker|swarm)_[a-z_]+")


class Bench:
    """A collector and a recorder with one registry."""

    def __init__(self, redis: Redis) -> None:
        self.registry = CollectorRegistry()
        self.observer = RunObserver(PrometheusRecorder(self.registry))
        self.registry.register(StateCollector(redis, KEY, lambda: self.observer.states, lambda: NOW))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def bench(redis: Redis) -> Bench:
    return Bench(redis)


def test_counts_a_run_once_with_its_steps(bench: Bench) -> None:
    for state in (WAITING, WAITING, DONE, DONE):
        bench.observer.observe(state)
    assert bench.value("imker_runs_total", command="migrate", outcome="done") == 1
    assert bench.value("imker_run_seconds_sum", command="migrate") == 60
    assert bench.value("imker_step_seconds_sum", step="JoinSwarm") == 4
    lost = replace(DONE, record=replace(RECORD, run="other"), status="lost", outcome=None)
    bench.observer.observe(lost)
    assert bench.value("imker_runs_total", command="migrate", outcome="lost") == 1


def test_shows_open_runs_and_the_oldest_question(bench: Bench) -> None:
    bench.observer.observe(WAITING)
    younger = replace(QUESTION, asked_at=Timestamp(NOW - 10, "boot", 1.0))
    bench.observer.observe(replace(WAITING, record=replace(RECORD, run="other"), question=younger))
    assert bench.value("imker_open_runs", state="waiting") == 2
    assert bench.value("imker_question_age_seconds", question="accept") == 90
    bench.observer.forget("k3fm9x2q")
    assert bench.value("imker_open_runs", state="waiting") == 1
    assert bench.value("imker_question_age_seconds", question="accept") == 10


def test_shows_processes_and_queues(bench: Bench, redis: Redis) -> None:
    assert bench.value("imker_slack_connected") == bench.value("imker_reconciler_leader") == 0
    Heartbeat(redis, lambda: True).beat()
    redis.set(RECONCILER_KEY, "me")
    redis.rpush("rq:queue:changes", "a", "b")
    redis.sadd("rq:workers:reads", "rq:worker:1", "rq:worker:dead")
    redis.hset("rq:worker:1", "state", "idle")
    assert bench.value("imker_slack_connected") == bench.value("imker_reconciler_leader") == 1
    assert bench.value("imker_queue_jobs", queue="changes") == 2
    assert bench.value("imker_workers", queue="reads") == 1
    assert bench.value("imker_workers", queue="changes") == 0
    assert bench.value("imker_redis_up") == 1


def test_counts_refusals_since_the_start(redis: Redis) -> None:
    log = AuditLog(redis)
    log.append(AuditFact("before", "refused", details={"why": "denied"}))
    bench = Bench(redis)
    assert bench.value("imker_refused_total", why="denied") == 0
    more = "3 more since the last entry of this kind, by U09EVE"
    facts = [{"why": "denied"}, {"why": "often", "more": more}, {"why": "no right", "more": more}, {"why": "\n{}"}]
    for number, details in enumerate(facts):
        log.append(AuditFact(f"f{number}", "refused", details=details))
    log.append(AuditFact("asked", "asked", details={"why": "denied"}))
    counts = {why: bench.value("imker_refused_total", why=why) for why in ("denied", "often", "no right", "other")}
    assert counts == {"denied": 1, "often": 4, "no right": 3, "other": 1}
    assert bench.value("imker_audit_entries") == 6
    redis.hset(HEAD_KEY, "hash", "x")
    assert bench.value("imker_audit_broken") == 1


def test_shows_the_swarm_as_it_was_listed_last(bench: Bench, redis: Redis) -> None:
    assert bench.value("swarm_managers") is None
    rows = tuple(
        NodeRow(id=name, hostname=name, membership="Accepted", status=status, availability="Active",
                manager_status=manager, engine="26.1.5", has_answered=False)
        for name, status, manager in (
            ("a", "Ready", "Leader"), ("b", "Ready", "Reachable"), ("c", "Down", "Unreachable"), ("d", "Ready", ""))
    )  # fmt: skip
    save(redis, NodeTable("a", NOW - 30, rows))
    assert bench.value("swarm_nodes", state="ready", availability="active", role="manager") == 2
    assert bench.value("swarm_nodes", state="down", availability="active", role="manager") == 1
    assert (bench.value("swarm_managers"), bench.value("swarm_managers_reachable")) == (3, 2)
    assert bench.value("swarm_tolerates") == 0
    assert bench.value("swarm_watch_age_seconds") == 30
    redis.set(LAST_NODES_KEY, f"{'0' * 64} {{}}")
    assert bench.value("swarm_managers") is None


def save(redis: Redis, table: NodeTable) -> None:
    from pydantic import TypeAdapter

    text = TypeAdapter(NodeTable).dump_json(table).decode()
    redis.set(LAST_NODES_KEY, signing.sign_for(KEY, LAST_NODES_KEY, text))


@pytest.mark.processes
def test_without_redis_the_runs_remain_visible() -> None:
    bench = Bench(Redis.from_url("redis://127.0.0.1:9", socket_timeout=1))
    bench.observer.observe(WAITING)
    assert bench.value("imker_redis_up") == 0
    assert bench.value("imker_open_runs", state="waiting") == 1
    assert bench.value("imker_workers", queue="reads") is None


@pytest.fixture
def url(bench: Bench, redis: Redis) -> Iterator[str]:
    with ExitStack() as stack:
        port = stack.enter_context(serve(bench.registry, redis, ("127.0.0.1", 0)))
        yield f"http://127.0.0.1:{port}"


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_serves_metrics_and_health(url: str, redis: Redis) -> None:
    status, text = get(f"{url}/metrics")
    assert status == 200
    assert "imker_open_runs" in {family.name for family in text_string_to_metric_families(text)}
    assert get(f"{url}/healthz/redis") == (200, "pass  redis: responds\n")
    assert get(f"{url}/healthz/bot") == (503, "fail  bot: not connected to Slack\n")
    Heartbeat(redis, lambda: True).beat()
    assert get(f"{url}/healthz/bot") == (200, "pass  bot: connected to Slack\n")
    status, text = get(f"{url}/healthz")
    assert (status, text.count("\n")) == (503, 5)
    assert get(f"{url}/healthz/x")[0] == get(f"{url}/")[0] == 404


def exported(bench: Bench, redis: Redis) -> dict[str, set[str]]:
    """Return the labels of every sample, by its name."""
    bench.observer.observe(WAITING)
    bench.observer.observe(replace(DONE, record=replace(RECORD, run="other")))
    bench.observer.recorder.slack_failed("ratelimited")
    save(redis, NodeTable("a", NOW, (NodeRow("a", True, "a", "Accepted", "Ready", "Active", "Leader", "26.1.5"),)))
    samples = [sample for family in bench.registry.collect() for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples if not sample.name.endswith("_created")}


def test_dashboard_and_alerts_use_exported_names_and_labels(bench: Bench, redis: Redis) -> None:
    names = exported(bench, redis)
    dashboard = json.loads((ROOT / "deploy/grafana.json").read_text())
    rules = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"][0]["rules"]
    panels = [target for panel in dashboard["panels"] for target in panel["targets"]]
    texts = [(target["expr"], target["legendFormat"]) for target in panels]
    texts += [(rule["expr"], rule["annotations"]["summary"]) for rule in rules]
    used: set[str] = set()
    for expression, text in texts:
        mentioned = set(NAME.findall(expression))
        assert mentioned, expression
        assert mentioned <= set(names), expression
        labels = set.union(*(names[name] for name in mentioned)) | {"le"}
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        assert grouped <= labels, expression
        assert set(re.findall(r"\{(\w+)=", expression)) <= labels, expression
        assert set(re.findall(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}", text)) <= grouped, text
        used |= mentioned
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in names}
    unused = families - {re.sub("_bucket$", "", name) for name in used}
    assert unused == set(), "the dashboard or an alert uses every metric"


def test_every_metric_is_documented(bench: Bench, redis: Redis) -> None:
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in exported(bench, redis)}
    section = (ROOT / "docs/operating.md").read_text().partition("## Metrics and health")[2].partition("\n## ")[0]
    assert {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in NAME.findall(row)
    } == families


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        ("9105", ("127.0.0.1", 9105)),
        (":9105", ValueError),
        ("0.0.0.0:9105", ("0.0.0.0", 9105)),
        ("[::1]:9105", ("::1", 9105)),
        ("host", ValueError),
        ("70000", ValueError),
    ],
)
def test_listens_on_loopback_by_default(text: str, address: object) -> None:
    if address is ValueError:
        with pytest.raises(ValueError, match="is not HOST:PORT or PORT, for example 127"):
            metrics_address({"IMKER_METRICS": text})
    else:
        assert metrics_address({"IMKER_METRICS": text}) == address
