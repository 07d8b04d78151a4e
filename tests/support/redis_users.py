"""Run a real server with only the users of docs/redis-users.acl, and each Imker process as its own user."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from imker.embedded_redis import _user_locks
from imker.redis_connection import connect
from lab.processes import Processes
from tests.support.embedded_redis import wait_until_ended

ACL_FILE = Path(__file__).parents[2] / "docs/redis-users.acl"
ROLES = {"bot": "bot", "reconciler": "reconciler", "changes": "jobs", "reads": "jobs"}  # a process -> its user's name


@contextmanager
def run_server(folder: Path) -> Iterator[Redis]:
    """Start a server in `folder`/redis, load the users, and yield the admin's client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMKER_STATE", str(folder / "redis"))
        owner = connect(None)
        for line in ACL_FILE.read_text().splitlines()[::-1]:  # the default user goes last
            _, name, *rules = _split_rules(line)
            owner.execute_command("ACL", "SETUSER", name, *rules)
        owner.close()
        client = Redis.from_url(user_url(folder, "admin"))
        yield client
        client.close()
        _user_locks.pop(folder / "redis").close()
        wait_until_ended(folder / "redis")


def user_url(folder: Path, user: str) -> str:
    return f"unix://imker-{user}:change-me-{user}@{folder}/redis/redis.sock?db=0"


def start_each(processes: Processes, folder: Path) -> None:
    for process, user in ROLES.items():
        processes.environment = {**processes.environment, "REDIS_URL": user_url(folder, user)}
        processes.start(process)


def _split_rules(line: str) -> list[str]:
    """Split a line into words. A selector in parentheses is one word."""
    words: list[str] = []
    for word in line.split():
        if words and words[-1].startswith("(") and not words[-1].endswith(")"):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words
