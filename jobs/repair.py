"""Remove invalid fencing numbers: `imker repair HOST` or `swarm`. Valid numbers are kept."""

from typing import Any

from redis import Redis

from imker import redis_connection
from imker.config import ConfigError
from imker.secret_files import read_secret
from imker.text import one_line
from jobs.connectors import fenced_shell, files
from jobs.connectors.engine import Engine
from jobs.connectors.engine_opener import EngineOpener
from jobs.connectors.shared_shells import share_shells
from jobs.connectors.shell import Shell
from jobs.connectors.ssh import SshShell
from jobs.errors import JobError
from jobs.gather.swarm import gather_swarm
from jobs.inventory.hosts import load_checked
from jobs.inventory.model import Inventory
from jobs.locking.fencing_token import BROKEN_COUNT, FencingToken
from jobs.locking.lease import BROKEN_FUNCTION
from jobs.settings import Settings

SWARM = "swarm"
REDIS_SCRIPT = f"""{BROKEN_FUNCTION}
if broken(KEYS[1]) then redis.call('del', KEYS[1]) return {BROKEN_COUNT} end
return 0
"""


def main(lock_name: str) -> int:
    """Repair the host's or the swarm's number. Return 0 when no invalid number is left."""
    try:
        settings, hosts = load_checked()
        if lock_name != SWARM and lock_name not in hosts:
            raise JobError(f"{lock_name} is not a host of the inventory")
        removed = _repair(lock_name, settings, hosts)
    except (ConfigError, redis_connection.RedisUnavailable, JobError) as error:
        print(one_line(str(error), 2000))
        return 1
    print("\n".join(f"removed: {item}" for item in removed) or "no invalid fencing number found")
    return 0


def _repair(lock_name: str, settings: Settings, hosts: Inventory) -> tuple[str, ...]:
    name = SWARM if lock_name == SWARM else f"host:{lock_name}"
    removed = repair_in_redis(redis_connection.connect(read_secret("REDIS_URL")), name)
    if lock_name == SWARM:
        return (*removed, *_repair_swarm(settings, hosts))
    with SshShell(hosts[lock_name], settings.inventory.known_hosts) as shell:
        return (*removed, *repair_on_host(shell))


def repair_in_redis(redis: Redis, name: str) -> tuple[str, ...]:
    """Delete the lock's counter in Redis if it is invalid. Return what was removed."""
    reply: Any = redis.eval(REDIS_SCRIPT, 1, f"fence:{name}")
    return (f"Redis key fence:{name}",) if int(reply) == BROKEN_COUNT else ()


def repair_on_host(shell: Shell) -> tuple[str, ...]:
    """Delete the host's token file if its number is invalid. Return what was removed."""
    text = (files.read_file(shell, fenced_shell.FENCE_FILE) or "").strip()
    if not FencingToken.parse(text).broken:
        return ()
    files.remove_files(shell, fenced_shell.FENCE_FILE)
    return (f"{fenced_shell.FENCE_FILE} on {shell.host}: {one_line(text, 60)}",)


def _repair_swarm(settings: Settings, hosts: Inventory) -> tuple[str, ...]:
    with share_shells(lambda host: SshShell(host, settings.inventory.known_hosts)) as shells:
        open_engine = EngineOpener(Engine, shells)
        swarm = gather_swarm(hosts, open_engine)
        if not swarm.answered_by:
            raise JobError(swarm.problem or "there is no swarm")
        return open_engine(hosts[swarm.answered_by]).repair_claim()
