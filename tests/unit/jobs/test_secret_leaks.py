"""Check that secrets planted on a host and in a swarm never get into Redis, the audit log, or the log.

A migration runs over them, both successfully and with failures.
"""

import io
import json
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis import Redis

from imker import log
from imker.audit_log import AuditLog
from imker.protocol import commands
from imker.protocol.commands import Approval, Request
from imker.protocol.events import Planned, ThreadDetail
from jobs import daemon_options, run, steps
from jobs.connectors import engine
from jobs.connectors.shell import Command, Output
from jobs.context import JobContext
from jobs.daemon_options import FileEdit
from jobs.errors import CommandFailed, EngineRefused
from jobs.events.audit import audit_listener
from jobs.events.writer import EventWriter
from jobs.execute.runner import run_host_steps
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken
from jobs.locking.lease import Lease
from jobs.settings import Settings
from jobs.steps.titles import describe_step
from lab.secret_scanner import dump_redis, find_leaks, render_secret_forms
from tests.support import streams

TOKEN = "SWMTKN-1-canary7f3a9c1e5b2d8f4a6c0e-canary2b4d6f8a"
PROXY = "canary-proxy-password-91c3"
SPLUNK = "canary-splunk-token-55e7"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEcanaryKEYcanary0123456789\n-----END RSA PRIVATE KEY-----"
SECRETS = (TOKEN, PROXY, SPLUNK, "MIIEcanaryKEYcanary0123456789")
DEFAULTS = "/etc/default/docker"
BEFORE = f"""export http_proxy="http://imker:{PROXY}@proxy:3128/"
DOCKER_OPTS="--log-opt splunk-token={SPLUNK} --cluster-store=consul://198.18.0.64:8500"
{render_secret_forms(PROXY)}
"""
AFTER = BEFORE.replace(" --cluster-store=consul://198.18.0.64:8500", "")
PLAN = (steps.RewriteOptions((FileEdit(DEFAULTS, BEFORE, AFTER),)), steps.JoinSwarm(True), steps.WaitForReady())


class Hosts:
    """A host with files in memory, and two Engines of one swarm. `fault`: what fails, "" for nothing."""

    host = "kaditz"

    def __init__(self, fault: str) -> None:
        self.fault, self.files, self.joined = fault, {DEFAULTS: BEFORE}, False
        self.tokens: list[str] = []

    def shell(self, host: Host) -> Any:
        return nullcontext(self)

    def run(self, command: Command) -> Output:
        if command.argv[:2] == ("cat", "--"):
            text = self.files.get(command.argv[2])
            return Output(int(text is None), text or "", "")
        if self.fault == "write" and command.stdin:
            raise CommandFailed("kaditz", "sh", 1, f"sh: cannot write {command.stdin}")
        if command.stdin:
            self.files[DEFAULTS] = command.stdin
        return Output(0, "", "")

    def connect(self, host: Host, timeout: float = 10) -> Any:
        return _Engine(host, self)


class _Engine:
    def __init__(self, host: Host, hosts: Hosts) -> None:
        self.host, self.hosts = host, hosts

    def claim_token(self, token: FencingToken) -> None:
        """Do nothing: no other run is active."""

    def worker_token(self) -> engine.Secret:
        return engine.Secret(TOKEN)

    def join(self, manager: str, token: engine.Secret, availability: str) -> None:
        self.hosts.tokens.append(token.value)
        if self.hosts.fault == "refuse":
            raise EngineRefused(
                f"kaditz's Engine refused: invalid join token {token.value}, by http://a:{PROXY}@proxy/"
            )
        if self.hosts.fault == "break":
            raise RuntimeError(f"{token.value} and {KEY}")
        self.hosts.joined = True

    def info(self) -> dict[str, Any]:
        state = "active" if self.hosts.joined and self.host.name == "kaditz" else "inactive"
        return {"Swarm": {"LocalNodeState": state, "NodeID": "node-kaditz"}}

    def nodes(self) -> list[dict[str, Any]]:
        status = {"State": "ready", "Addr": "198.18.0.39"}
        return [{"ID": "node-kaditz", "Spec": {"Role": "worker", "Availability": "drain"}, "Status": status,
                 "Description": {"Hostname": "kaditz", "Engine": {"EngineVersion": "26.1.5"}}}]  # fmt: skip


def run_migration(redis: Redis, fault: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Hosts, str]:
    """Run the migration. Return the hosts afterwards, and its log."""
    hosts, stderr = Hosts(fault), io.StringIO()
    request = Request("k3fm9x2q", 1, commands.Migrate("kaditz"), "U01ALICE")
    writer = EventWriter(
        redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0, audit_listener(AuditLog(redis, b"key"), request)
    )
    inventory = {name: Host(name, address) for name, address in (("kaditz", "198.18.0.39"), ("tondi", "198.18.0.73"))}
    context = JobContext(request, Settings(), inventory, writer, redis, hosts.shell, hosts.connect)

    def handle(_: commands.Command, context: JobContext) -> None:
        diff = daemon_options.diff((FileEdit(DEFAULTS, BEFORE, AFTER),))
        context.events.emit(Planned(tuple(map(describe_step, PLAN)), diff=diff))
        context.events.emit(
            ThreadDetail(
                "apt on kaditz",
                f"Get:1 http://imker:{PROXY}@proxy:3128/ docker.io\n{KEY}\n{render_secret_forms(SPLUNK)}",
            )
        )
        run_host_steps(
            context,
            inventory["kaditz"],
            PLAN,
            ("tondi",),
            Lease(FencingToken(1, "k3fm9x2q", 7.0), raise_token_above=lambda _: 0),
        )

    monkeypatch.setattr(run, "dispatch", handle)
    monkeypatch.setattr("sys.stderr", stderr)
    log.configure_logging()
    run.run_handler(request, writer, lambda: context)
    structlog.reset_defaults()
    return hosts, stderr.getvalue()


@pytest.mark.parametrize("fault", ["", "write", "refuse", "break"])
def test_leaks_no_planted_secret(redis: Redis, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts, stderr = run_migration(redis, fault, monkeypatch)
    everything = dump_redis(redis)
    ended = "done" if not fault else "failed"
    assert hosts.tokens == ([] if fault == "write" else [TOKEN]), "the token was used"
    assert "http://…@proxy:3128" in everything, "the surrounding text is kept"
    assert find_leaks(SECRETS, everything) == []
    assert find_leaks(SECRETS, stderr) == []
    assert (ended == "failed") is ('"step_failed"' in everything or "Imker hit an internal error" in everything)


def test_records_only_the_digests_of_a_file(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    run_migration(redis, "", monkeypatch)
    (changed,) = [entry.fact for entry in AuditLog(redis).entries() if entry and entry.fact.kind == "changed"]
    assert (changed.details["path"], changed.host) == (DEFAULTS, "kaditz")
    assert all(len(changed.details[name]) == 64 for name in ("before", "after"))


@pytest.mark.parametrize("kind", ["string", "hash", "list", "set", "zset", "stream", "packed", "key"])
def test_the_search_finds_a_planted_secret(redis: Redis, kind: str, tmp_path: Path) -> None:
    """Otherwise the other tests would prove nothing."""
    long = json.dumps({"args": ["x" * 500, TOKEN, "x" * 500]})
    plant: dict[str, Any] = {
        "string": lambda: redis.set("k", long),
        "hash": lambda: redis.hset("k", "field", long),
        "list": lambda: redis.rpush("k", long),
        "set": lambda: redis.sadd("k", long),
        "zset": lambda: redis.zadd("k", {long: 1}),
        "stream": lambda: redis.xadd("k", {"event": long}),
        "packed": lambda: redis.hset("k", "data", zlib.compress(long.encode())),
        "key": lambda: redis.set(f"run:{TOKEN}", 1),
    }
    plant[kind]()
    assert find_leaks(SECRETS, dump_redis(redis)) == [TOKEN]


def test_the_search_finds_a_part_of_a_secret() -> None:
    assert find_leaks([PROXY], f"…{PROXY[:18]}…") == [PROXY]
    assert Approval("U02BOB", "f00d", 1.0).user not in find_leaks(SECRETS, "U02BOB")
