"""Secrets planted on a host and in a swarm, and a migration's steps over them, going well and going wrong: none of
them is in Redis, the record or the log."""

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
from imker.audit import Audit
from jobs import contract, daemon_options, engine, run, steps
from jobs.account import recording
from jobs.contract import Approval, Detail, Planned, Request
from jobs.daemon_options import FileEdit
from jobs.errors import CommandFailed, EngineRefused
from jobs.inventory import Host
from jobs.journal import Journal
from jobs.lock import Lease, Mark
from jobs.office import Office
from jobs.settings import Settings
from jobs.shell import Output
from jobs.stepping import carry_out
from lab.canaries import found, held_by, written
from tests import streams

TOKEN = "SWMTKN-1-canary7f3a9c1e5b2d8f4a6c0e-canary2b4d6f8a"
PROXY = "canary-proxy-password-91c3"
SPLUNK = "canary-splunk-token-55e7"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEcanaryKEYcanary0123456789\n-----END RSA PRIVATE KEY-----"
SECRETS = (TOKEN, PROXY, SPLUNK, "MIIEcanaryKEYcanary0123456789")
DEFAULTS = "/etc/default/docker"
BEFORE = f"""export http_proxy="http://imker:{PROXY}@proxy:3128/"
DOCKER_OPTS="--log-opt splunk-token={SPLUNK} --cluster-store=consul://198.18.0.64:8500"
{written(PROXY)}
"""
AFTER = BEFORE.replace(" --cluster-store=consul://198.18.0.64:8500", "")
PLAN = (steps.RewriteOptions((FileEdit(DEFAULTS, BEFORE, AFTER),)), steps.JoinSwarm(True), steps.CheckNode())


class Hosts:
    """A host whose files are here, and two Engines of one swarm. `fault`: what goes wrong, "" for nothing."""

    host = "kaditz"

    def __init__(self, fault: str) -> None:
        self.fault, self.files, self.joined = fault, {DEFAULTS: BEFORE}, False
        self.tokens: list[str] = []

    def shell(self, host: Host) -> Any:
        return nullcontext(self)

    def run(self, *argv: str, stdin: str = "", **_: Any) -> Output:
        if argv[:2] == ("cat", "--"):
            text = self.files.get(argv[2])
            return Output(int(text is None), text or "", "")
        if self.fault == "write" and stdin:
            raise CommandFailed("kaditz", "sh", 1, f"sh: cannot write {stdin}")
        if stdin:
            self.files[argv[-1]] = stdin
        return Output(0, "", "")

    def connect(self, host: Host, timeout: float = 10) -> Any:
        return _Engine(host, self)


class _Engine:
    def __init__(self, host: Host, hosts: Hosts) -> None:
        self.host, self.hosts = host, hosts

    def claim(self, mark: Mark) -> None:
        """Nobody else is here."""

    def worker_token(self) -> engine.Secret:
        return engine.Secret(TOKEN)

    def join(self, manager: str, token: engine.Secret, availability: str) -> None:
        self.hosts.tokens.append(token.value)
        if self.hosts.fault == "refuse":
            raise EngineRefused(f"kaditz's Engine says: invalid join token {token.value}, by http://a:{PROXY}@proxy/")
        if self.hosts.fault == "break":
            raise RuntimeError(f"{token.value} and {KEY}")
        self.hosts.joined = True

    def info(self) -> dict[str, Any]:
        state = "active" if self.hosts.joined and self.host.name == "kaditz" else "inactive"
        return {"Swarm": {"LocalNodeState": state, "NodeID": "node-kaditz"}}

    def nodes(self) -> list[dict[str, Any]]:
        said = {"State": "ready", "Addr": "198.18.0.39"}
        return [{"ID": "node-kaditz", "Spec": {"Role": "worker", "Availability": "drain"}, "Status": said,
                 "Description": {"Hostname": "kaditz", "Engine": {"EngineVersion": "26.1.5"}}}]  # fmt: skip


def migrated(redis: Redis, fault: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Hosts, str]:
    """The hosts after it, and the log of it."""
    hosts, said = Hosts(fault), io.StringIO()
    request = Request("k3fm9x2q", 1, contract.Migrate("kaditz"), "U01ALICE")
    journal = Journal(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0, recording(Audit(redis, b"key"), request))
    inventory = {name: Host(name, address) for name, address in (("kaditz", "198.18.0.39"), ("tondi", "198.18.0.73"))}
    office = Office(request, Settings(), inventory, journal, redis, hosts.shell, hosts.connect)

    def handle(_: contract.Command, office: Office) -> None:
        shown = daemon_options.diff((FileEdit(DEFAULTS, BEFORE, AFTER),))
        office.journal.tell(Planned(tuple(map(steps.describe, PLAN)), diff=shown))
        office.journal.tell(
            Detail("apt on kaditz", f"Get:1 http://imker:{PROXY}@proxy:3128/ docker.io\n{KEY}\n{written(SPLUNK)}")
        )
        carry_out(office, inventory["kaditz"], PLAN, ("tondi",), Lease(Mark(1, "k3fm9x2q", 7.0), above=lambda _: 0))

    monkeypatch.setattr(run, "handle", handle)
    monkeypatch.setattr("sys.stderr", said)
    log.set_up()
    run.tell_all(request, journal, lambda: office)
    structlog.reset_defaults()
    return hosts, said.getvalue()


@pytest.mark.parametrize("fault", ["", "write", "refuse", "break"])
def test_no_planted_secret_gets_anywhere(redis: Redis, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts, said = migrated(redis, fault, monkeypatch)
    everything = held_by(redis)
    ended = "done" if not fault else "failed"
    assert hosts.tokens == ([] if fault == "write" else [TOKEN]), "it was there to be told"
    assert "http://…@proxy:3128" in everything, "what stands around it is told"
    assert found(SECRETS, everything) == []
    assert found(SECRETS, said) == []
    assert (ended == "failed") is ('"step_failed"' in everything or "Imker itself broke" in everything)


def test_a_files_digests_are_what_is_kept_of_it(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    migrated(redis, "", monkeypatch)
    (changed,) = [entry.fact for entry in Audit(redis).entries() if entry and entry.fact.what == "changed"]
    assert (changed.said["path"], changed.host) == (DEFAULTS, "kaditz")
    assert all(len(changed.said[name]) == 64 for name in ("before", "after"))


@pytest.mark.parametrize("kind", ["string", "hash", "list", "set", "zset", "stream", "packed", "key"])
def test_the_search_finds_what_is_planted(redis: Redis, kind: str, tmp_path: Path) -> None:
    """Else it would prove nothing."""
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
    assert found(SECRETS, held_by(redis)) == [TOKEN]


def test_half_a_secret_is_one_too() -> None:
    assert found([PROXY], f"…{PROXY[:18]}…") == [PROXY]
    assert Approval("U02BOB", "f00d", 1.0).by not in found(SECRETS, "U02BOB")
