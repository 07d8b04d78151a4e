"""Run Imker with docs/redis-users.acl on a real server: everything works, and the bot's user can only enqueue."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from bot.doctor import processes
from bot.records import Decision, RunRecord
from bot.runs.store import RunStore
from imker import clock
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, verify
from imker.protocol import commands
from imker.protocol.commands import ListNodes, Migrate
from imker.protocol.events import DecisionRequested, JobStarted, NodeTable
from imker.protocol.values import Candidate, NodeRow, Quorum
from imker.signing import SigningKey
from jobs.events.writer import EventWriter
from lab.processes import Processes, imker_environment
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import BOB, CAROL, OPS, Flow, _idle_worker_count, _wait_until, _write_config
from tests.support.redis_users import run_server, start_each, user_url

KEY = "k" * 64
REFUSED = [
    "FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "RANDOMKEY", "CONFIG GET *", "CONFIG SET dir /tmp", "SHUTDOWN NOSAVE",
    "SAVE", "MONITOR", "ACL LIST", "ACL SETUSER imker-bot on", "CLIENT LIST", "CLIENT KILL TYPE normal",
    "REPLICAOF 127.0.0.1 1", "MODULE LIST", "FUNCTION LIST", "SCRIPT FLUSH", "SLOWLOG GET", "SELECT 1", "SWAPDB 0 1",
    "PUBLISH rq:pubsub:worker {}", "PUBLISH elsewhere x", "PSUBSCRIBE *", "SUBSCRIBE rq:pubsub:worker",
    "LRANGE rq:queue:changes 0 -1", "LPUSH rq:queue:changes x", "LPOP rq:queue:changes", "LREM rq:queue:changes 0 x",
    "DEL rq:queue:changes", "RPUSH rq:queue:other x", "RPUSH rq:queue:changes:intermediate x", "RPUSH rq:job:x y",
    "DEL rq:job:k3fm9x2q-1", "HGETALL rq:job:k3fm9x2q-1", "HSET rq:job:k3fm9x2q-1:dependents x y",
    "RENAME rq:job:x bot:x", "RESTORE rq:job:x 0 x", "SET rq:job:x y", "HSET rq:worker:x state idle",
    "SADD rq:workers x", "ZADD rq:failed:changes 0 x", "HGETALL rq:worker:x", "SMEMBERS rq:workers",
    "XADD run:k3fm9x2q:events * event x", "DEL run:k3fm9x2q:events", "XTRIM run:k3fm9x2q:events MAXLEN 0",
    "XDEL run:k3fm9x2q:events 0-1", "SET run:k3fm9x2q:events x", "EXPIRE run:k3fm9x2q:events 0",
    "GET lock:host:kaditz", "SET lock:host:kaditz x", "DEL lock:host:kaditz", "INCR fence:swarm",
    "SET imker:inventory []", "GET imker:consumed:k3fm9x2q-1", "DEL imker:consumed:k3fm9x2q-1",
    "SET imker:last-nodes {}", "DEL imker:last-nodes", "SET imker:swarm {}", "DEL imker:swarm",
    "SET imker:observation {}", "DEL imker:observation", "GET imker:options:kaditz", "SET imker:options:kaditz {}",
    "DEL audit", "XTRIM audit MAXLEN 0", "XDEL audit 0-1", "EXPIRE audit 0", "DEL audit:head", "RENAME audit bot:x",
    "SET audit x", "HSET audit x y", "XSETID audit 9-0", "SET audit:head x", "EXPIRE audit:head 0", "GET audit:head",
    "XADD audit:head * x y", "DEL audit:id:x", "HSET audit:id:x y z", "SET audit:posted x", "DEL audit:posted",
    "XADD audit:id:x * x y", "EXPIRE rq:job:x 0", "XADD rq:job:x * x y",
    "COPY rq:job:x bot:x", "SORT rq:queue:changes STORE bot:x", "OBJECT ENCODING rq:queue:changes", "MIGRATE h 1 k 0 1",
]  # fmt: skip
SCRIPTS = [
    ("return redis.call('flushall')", ()),
    ("return redis.call('keys', '*')", ()),
    ("return redis.call('lrange', KEYS[1], 0, -1)", ("rq:queue:changes",)),
    ("return redis.call('del', KEYS[1])", ("rq:job:x",)),
    ("return redis.call('rpush', 'rq:queue:other', 'x')", ("rq:job:x",)),
    ("return redis.call('xadd', 'run:k3fm9x2q:events', '*', 'event', 'x')", ("rq:job:x",)),
    ("return redis.call('publish', 'rq:pubsub:worker', '{}')", ("rq:job:x",)),
]
OF_THE_RECORD = [
    ("return redis.call('set', KEYS[1], 'x')", ("audit",)),
    ("return redis.call('set', KEYS[1], 'x')", ("audit:head",)),
    ("return redis.call('del', KEYS[1])", ("audit",)),
    ("return redis.call('xtrim', KEYS[1], 'maxlen', 0)", ("audit",)),
    ("return redis.call('rename', KEYS[1], KEYS[2])", ("audit", "audit:id:x")),
    ("return redis.call('hset', KEYS[1], 'x', 'y')", ("audit",)),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imker-u-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def admin(folder: Path) -> Iterator[Redis]:
    with run_server(folder) as owner:
        yield owner


@pytest.fixture(scope="module")
def everything(folder: Path, admin: Redis) -> Iterator[Flow]:
    """Start the four processes, each as its own Redis user."""
    port = free_port()
    config = _write_config(folder, port)
    with ExitStack() as stack:
        workspace = stack.enter_context(run_fake_slack())
        settings = {**imker_environment(workspace.url, config, folder / "redis"), "IMKER_SIGNING_KEY": KEY}
        started = Processes(settings, folder / "log")
        stack.callback(started.stop)
        start_each(started, folder)
        _wait_until(lambda: workspace.connection_count() > 0 and _idle_worker_count(admin) >= 3, folder / "log")
        yield Flow(workspace, started, admin, port, SigningKey(KEY))


@pytest.fixture(params=["bot", "reconciler"])
def client(request: pytest.FixtureRequest, folder: Path, admin: Redis) -> Iterator[Redis]:
    """Yield a client with these credentials and assert that Redis is unchanged afterwards."""
    connection = Redis.from_url(user_url(folder, request.param))
    before = {key: admin.dump(key) for key in admin.keys("*")}
    yield connection
    assert {key: admin.dump(key) for key in admin.keys("*")} == before
    connection.close()


@pytest.mark.parametrize("command", REFUSED)
def test_rejects_what_the_bot_must_not_do(client: Redis, command: str) -> None:
    with pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


@pytest.mark.parametrize(("script", "keys"), SCRIPTS + OF_THE_RECORD, ids=lambda value: str(value)[:50])
def test_rejects_what_the_bot_must_not_do_in_a_script(client: Redis, script: str, keys: tuple[str, ...]) -> None:
    digest = client.script_load(script)
    with pytest.raises(ResponseError, match=r"(?i)permission|ACL"):
        client.evalsha(digest, len(keys), *keys)


def test_disables_the_default_user(folder: Path, admin: Redis) -> None:
    with (
        Redis(unix_socket_path=str(folder / "redis/redis.sock")) as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.ping()


@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "CLIENT LIST",
     "CONFIG GET *", "SET bot:run:x y", "SHUTDOWN", "ACL LIST", "DEL audit", "SET audit x",
     "XTRIM audit MAXLEN 0", "XDEL audit 0-1", "EXPIRE audit 0", "RENAME audit run:x", "DEL audit:head",
     "SET audit:head x", "DEL audit:id:x", "HSET audit:posted day x", "COPY audit run:x"],
)  # fmt: skip
def test_rejects_what_rq_workers_must_not_do(folder: Path, admin: Redis, command: str) -> None:
    with Redis.from_url(user_url(folder, "jobs")) as jobs, pytest.raises(NoPermissionError):
        jobs.execute_command(*command.split())


@pytest.mark.parametrize(("script", "keys"), OF_THE_RECORD, ids=lambda value: str(value)[:50])
def test_rejects_what_rq_workers_must_not_do_in_a_script(
    folder: Path, admin: Redis, script: str, keys: tuple[str, ...]
) -> None:
    with Redis.from_url(user_url(folder, "jobs")) as jobs, pytest.raises(ResponseError, match=r"(?i)permission|ACL"):
        jobs.eval(script, len(keys), *keys)


@pytest.mark.parametrize("role", ["bot", "reconciler", "jobs"])
def test_detects_what_rq_workers_can_do_to_the_audit_log(folder: Path, admin: Redis, role: str) -> None:
    """An ACL cannot forbid XADD with MAXLEN. Checkpoints in the channel reveal a shortened log."""
    with Redis.from_url(user_url(folder, role)) as redis:
        record = AuditLog(redis)
        for number in range(3):
            record.append(AuditFact(f"{role}{number}", "asked"))
        head = record.head()
        assert head
        assert verify(record.entries(), [head]) == ()
        redis.xadd("audit", {"entry": "x"}, "99-0", maxlen=0, approximate=False)
        assert verify(record.entries(), [head]) != ()
    admin.delete("audit", "audit:head", *(f"audit:id:{role}{number}" for number in range(3)))


@pytest.mark.parametrize("role", ["bot", "reconciler"])
def test_bot_user_can_store_its_data_and_enqueue(folder: Path, admin: Redis, role: str) -> None:
    with Redis.from_url(user_url(folder, role)) as redis:
        runs = RunStore(redis, lambda: 1.0, SigningKey(KEY))
        name, other = f"run{role:5.5}".replace(" ", "x"), f"oth{role:5.5}".replace(" ", "x")
        runs.start(
            RunRecord(name, Migrate("kaditz"), "migrate kaditz", "U01", OPS, 1.0, allowed_hosts=("kaditz",)), "http://x"
        )
        runs.start(RunRecord(other, ListNodes(), "nodes", "U01", OPS, 1.0, allowed_hosts=("*",)))
        waiting = DecisionRequested(
            "accept", "f", Candidate("kaditz", "n", "a", "h", "26"), Quorum(2, 0, 3, 1), asked_at=clock.take_timestamp()
        )
        for body in (JobStarted("kaditz"), waiting):
            EventWriter(admin, SigningKey(KEY), name, 1, lambda: 1.0).emit(body)
        snapshot = runs.snapshot(name)
        assert snapshot is not None
        runs.decide(snapshot.record, Decision(1, "accept", "U02", 2.0, "f"))
        runs.hold(name, commands.Hold("pause", "U01", 1.0))
        runs.posted_messages.update(name, ts="1", channel=OPS)
        runs.posted_messages.delete(name)
        runs.lost.add(name, 1.0)
        runs.lost.remove(name)
        assert (
            runs.open_holds(),
            runs.posted_messages.get(name),
            runs.response_url(name),
            runs.hosts(),
        ) is not None
        assert {name, other} <= {record.run for record in runs.recent(10)}
        runs.close(name)
        assert {b"%s-2" % name.encode()} <= set(admin.lrange("rq:queue:changes", 0, -1))
    for key in ("rq:queue:changes", "rq:queue:reads", "bot:open"):
        admin.delete(key)


def test_four_processes_work_as_their_own_users(everything: Flow) -> None:
    everything.redis.acl_log_reset()
    assert (
        "4 of 4 hosts are unreachable"
        in everything.send_command("/swarm hosts", "4 of 4 hosts are unreachable", user=CAROL).plain_text
    )
    message = everything.send_command("/swarm migrate kaditz", "is unreachable over SSH")
    run = everything.run_id_of(message)
    assert [event.job for event in everything.events(run)][-1] == 1
    status_text = everything.send_command("/swarm status", run).plain_text
    assert "migrate `kaditz`" in status_text
    everything.emit(
        run, NodeTable("connewitz", 1.0, (NodeRow("j8xsy2yb", True, "kaditz", "Pending", "", "", "", ""),)), job=2
    )
    everything.workspace.say(BOB, OPS, "/swarm accept j8xsy2yb")
    everything.workspace.wait_for_message(BOB, OPS, "Accept j8xsy2yb")
    everything.workspace.wait_for_message(
        BOB, OPS, lambda visible: "Accept j8xsy2yb" in visible.text and visible.text.startswith(("🚫", "❌"))
    )
    refused = [(entry["username"], entry["object"]) for entry in everything.redis.acl_log()]
    assert refused == [], "no user lacked a permission"
    assert "Traceback" not in (everything.processes.log).read_text()


def test_doctor_works_as_the_bot_user(everything: Flow, folder: Path) -> None:
    with Redis.from_url(user_url(folder, "bot")) as redis:
        matches = processes.check(redis, is_external=True, is_signing=True)
    assert [(finding.check, finding.level) for finding in matches if finding.level != "pass"] == []
    expected_text = "is imker-bot, without access to the keys of the RQ workers"
    assert ("redis user", expected_text) in [(finding.check, finding.text) for finding in matches]
