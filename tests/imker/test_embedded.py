"""The embedded server: durable, shared, restarted when it dies, gone when nobody uses it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

PROGRAM = """
import sys
from imker import broker
redis = broker.connect(None)
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


def kept(redis: Redis) -> int:
    """Asks until the keeper has started the server again."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return int(redis.llen("kept"))
        except NoConnection:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_users_share_one_and_the_last_ends_it_however_it_ends(redis_folder: Path) -> None:
    folder = redis_folder / "shared"
    first, second = user(folder), user(folder)
    server = server_of(first)
    assert server_of(second) == server
    first.kill()
    first.communicate()
    time.sleep(0.5)
    assert alive(server), "somebody still uses it"
    second.kill()
    second.communicate()
    assert gone(server)


def test_what_was_acknowledged_survives_a_kill(redis_folder: Path) -> None:
    folder = redis_folder / "killed"
    process = user(folder)
    server = server_of(process)
    redis = Redis(unix_socket_path=str(folder / "redis.sock"))
    for number in range(200):
        redis.rpush("kept", number)
    os.kill(server, signal.SIGKILL)
    assert gone(server)
    assert kept(redis) == 200
    new = redis.info("server")["process_id"]
    redis.close()
    process.kill()
    process.communicate()
    assert gone(int(new))
