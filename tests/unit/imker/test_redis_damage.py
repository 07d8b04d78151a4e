"""A damaged file of the embedded Redis is reported once, with the command that repairs it."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis

from imker import redis_connection, redis_damage
from imker.embedded_redis import MAX_PAUSE, MIN_PAUSE, RestartBackoff, _user_locks
from tests.support.embedded_redis import wait_until_ended
from tests.unit.imker.test_embedded_redis import gone, keeper_pid, server_of, user

KEPT = 400


@pytest.fixture
def damaged(redis_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder whose server cannot start: a few bytes of its file are lost."""
    folder = Path(tempfile.mkdtemp(dir=redis_folder))
    monkeypatch.setenv("IMKER_STATE", str(folder))
    process = user(folder)
    server = server_of(process)
    with Redis(unix_socket_path=str(folder / "redis.sock")) as redis:
        for number in range(KEPT):
            redis.rpush("kept", f"value-{number}")
    file = folder / "appendonlydir/appendonly.aof.1.incr.aof"
    text = bytearray(file.read_bytes())
    text[len(text) // 2 : len(text) // 2 + 20] = b"\xff" * 20
    (folder / "log").write_text("")
    os.kill(server, signal.SIGSTOP)
    file.write_bytes(text)
    os.kill(server, signal.SIGKILL)
    assert gone(server)
    yield folder
    process.kill()
    process.communicate()
    if folder in _user_locks:
        _user_locks.pop(folder).close()
    wait_until_ended(folder)


def starts(folder: Path) -> list[float]:
    """Return the seconds of the day at which the server was started."""
    times = re.findall(r" (\d+):(\d+):(\d+\.\d+) \S+ \S+ Valkey is starting", (folder / "log").read_text())
    return [int(hours) * 3600 + int(minutes) * 60 + float(seconds) for hours, minutes, seconds in times]


def pauses_after(folder: Path, number: int, meanwhile: Callable[[], None] = lambda: None) -> list[float]:
    """Wait for that many starts. Return the seconds between them."""
    deadline = time.monotonic() + 60
    while len(times := starts(folder)) < number:
        assert time.monotonic() < deadline
        meanwhile()
        time.sleep(0.05)
    return [(later - earlier) % 86400 for earlier, later in pairwise(times)]


def test_explains_a_damaged_file_with_a_repair_command_that_works(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_connection, "STARTUP_TIMEOUT", 3)
    with pytest.raises(redis_connection.RedisUnavailable) as raised:
        redis_connection.connect(None, retries=0)
    text = str(raised.value)
    file = damaged / "appendonlydir/appendonly.aof.1.incr.aof"
    assert f"{file} is damaged" in text
    assert "Bad file format reading the append only file" in text, "the server's own last line"
    command = re.search(r"^    (\(.*--fix.*\))$", text, re.MULTILINE)
    assert command, text
    subprocess.run(["bash", "-c", command[1]], input=b"y\n", check=True, capture_output=True)
    with Redis(unix_socket_path=str(damaged / "redis.sock")) as redis:
        number = keeper_pid(redis)
        assert 150 < number < KEPT, "all from before the damage"
        assert redis.lrange("kept", 0, -1) == [f"value-{n}".encode() for n in range(number)]


def test_restarts_a_failing_server_with_growing_pauses(damaged: Path) -> None:
    pauses = pauses_after(damaged, 5)
    assert all(pause >= least for pause, least in zip(pauses, (0.4, 0.8, 1.6, 3.2), strict=True)), pauses
    file = damaged / "appendonlydir/appendonly.aof.1.incr.aof"
    *_, last = pauses_after(damaged, 6, meanwhile=lambda: os.utime(file))
    assert last < 3, "a file that was changed is tried at once, not after 6.4 seconds"


def test_backoff_grows_to_a_limit_and_resets_on_a_response() -> None:
    now = 0.0
    pauses = RestartBackoff(lambda: now)
    waited = []
    for _ in range(12):
        start = now
        while not pauses.may_start(0):
            now += 0.01
        waited.append(now - start)
    assert waited[:5] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2], abs=0.02)
    assert waited[-1] == pytest.approx(MAX_PAUSE, abs=0.02)
    pauses.reset()
    start = now
    while not pauses.may_start(0):
        now += 0.01
    assert now - start == pytest.approx(MIN_PAUSE, abs=0.02)


LOG = """1:M 27 Nov 2026 17:10:00.000 * oO0OoO0OoO0Oo Valkey is starting oO0OoO0OoO0Oo
1:M 27 Nov 2026 17:10:49.368 # Bad file format reading the append only file old.aof: make a backup
2:M 27 Nov 2026 17:11:00.000 * oO0OoO0OoO0Oo Valkey is starting oO0OoO0OoO0Oo
"""


@pytest.mark.parametrize(
    ("more", "excerpt", "has_command"),
    [
        ("2:M 27 Nov # Bad file format reading the append only file a.incr.aof: make a backup\n", "a.incr.aof", True),
        ("2:M 27 Nov # Unexpected end of file reading the append only file a.aof. You can: 1) Make\n", "a.aof", True),
        ("2:M 27 Nov # Error reading the RDB base file a.rdb, AOF loading aborted\n", "Error reading the RDB", False),
        ("2:M 27 Nov # Fatal error: can't open the append log file\n", "can't open the append log", False),
        ("2:M 27 Nov * Done loading RDB\n", "Done loading RDB", False),
        ("\x1b]0;owned\x07# an escape\n", "# an escape", False),
    ],
)
def test_explains_only_the_last_start(tmp_path: Path, more: str, excerpt: str, has_command: bool) -> None:
    (tmp_path / "log").write_text(LOG + more)
    text = redis_damage.explain_damage(tmp_path, Path("/opt/valkey-server"))
    assert (excerpt in text, "--fix" in text, "old.aof" in text) == (True, has_command, False)
    assert "\x1b" not in text


def test_names_the_log_if_there_is_none(tmp_path: Path) -> None:
    assert redis_damage.explain_damage(tmp_path, Path("/opt/valkey-server")) == f"see {tmp_path / 'log'}"


def test_shortens_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * redis_damage.MAX_LOG_BYTES + b"\nthe end\n")
    redis_damage.shorten_log(log)
    assert log.stat().st_size <= redis_damage.KEPT_LOG_BYTES
    assert log.read_bytes().endswith(b"\nthe end\n")
    short = log.read_bytes()
    redis_damage.shorten_log(log)
    assert log.read_bytes() == short
