"""Take broken fencing numbers away: `python -m jobs repair HOST` or `swarm`. What is whole stays."""

import os
from typing import Any

from redis import Redis

from imker import broker
from imker.config import ConfigError
from imker.text import one_line
from jobs import gather, inventory, remote
from jobs.engine import Engine
from jobs.errors import JobError
from jobs.inventory import Inventory
from jobs.lock import BROKEN, CHECK, Mark
from jobs.settings import Settings
from jobs.shell import Shell
from jobs.ssh import SshShell

SWARM = "swarm"
IN_REDIS = f"""{CHECK}
if broken(KEYS[1]) then redis.call('del', KEYS[1]) return {BROKEN} end
return 0
"""


def main(of: str) -> int:
    """Return 0 when no broken number is left."""
    try:
        loaded, hosts = inventory.configured()
        if of != SWARM and of not in hosts:
            raise JobError(f"{of} is no host of the inventory")
        taken = _all(of, loaded, hosts)
    except (ConfigError, broker.NoRedis, JobError) as failed:
        print(one_line(str(failed), 2000))
        return 1
    print("\n".join(f"removed: {one}" for one in taken) or "no broken fencing number")
    return 0


def _all(of: str, loaded: Settings, hosts: Inventory) -> tuple[str, ...]:
    name = SWARM if of == SWARM else f"host:{of}"
    taken = in_redis(broker.connect(os.environ.get("REDIS_URL")), name)
    if of == SWARM:
        return (*taken, *_of_swarm(hosts))
    with SshShell(hosts[of], loaded.inventory.known_hosts) as shell:
        return (*taken, *on_host(shell))


def in_redis(redis: Redis, name: str) -> tuple[str, ...]:
    said: Any = redis.eval(IN_REDIS, 1, f"fence:{name}")
    return (f"Redis' key fence:{name}",) if int(said) == BROKEN else ()


def on_host(shell: Shell) -> tuple[str, ...]:
    seen = (remote.read(shell, remote.FENCE) or "").strip()
    if not Mark.of(seen).broken:
        return ()
    remote.remove(shell, remote.FENCE)
    return (f"{remote.FENCE} on {shell.host}: {one_line(seen, 60)}",)


def _of_swarm(hosts: Inventory) -> tuple[str, ...]:
    swarm = gather.swarm(hosts, Engine)
    if not swarm.asked:
        raise JobError(swarm.problem or "there is no swarm")
    return Engine(hosts[swarm.asked]).repair_claim()
