"""Run `python -m jobs changes` or `reads`: the RQ workers of one queue. The configuration is checked first.

`doctor` checks everything that the RQ workers need. `check` checks the configuration only. `repair HOST` and
`repair swarm` remove an invalid fencing number.
"""

import sys

from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from imker import log, redis_connection, signing
from imker.config import ConfigError
from imker.doctor import check_configuration
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE
from imker.redis_errors import unavailable_reason
from imker.secret_files import read_secret
from jobs import repair
from jobs.handlers import doctor
from jobs.inventory import hosts
from jobs.run import publish_inventory, settings_once
from jobs.worker.dead_workers import ImkerQueue, ImkerWorker
from jobs.worker.pool import run_pool

# Seconds. With these a dead RQ worker is detected within a minute.
WORKER_TTL, MAINTENANCE_INTERVAL, MONITORING_INTERVAL = 30, 10, 5
USAGE = f"usage: python -m jobs {CHANGES_QUEUE}|{READS_QUEUE}|check|doctor|repair HOST|repair swarm"


def main(argv: list[str]) -> int:
    """Run the subcommand. Return the exit status: 0 for success, 1 for a failure, 2 for wrong usage or settings."""
    if argv[:1] == ["repair"] and len(argv) == 2:
        return repair.main(argv[1])
    subcommand = argv[0] if len(argv) == 1 else ""
    if subcommand == "check":
        return check_configuration(hosts.load_checked)
    if subcommand not in ("doctor", CHANGES_QUEUE, READS_QUEUE):
        print(USAGE, file=sys.stderr)
        return 2
    log.configure_logging()
    return doctor.run_doctor() if subcommand == "doctor" else _run_workers(subcommand)


def _run_workers(queue: str) -> int:
    """Check the configuration and Redis, then run the queue's pool of RQ workers until SIGTERM."""
    try:
        configuration, inventory_hosts = hosts.load_checked()
        redis = redis_connection.connect(read_secret("REDIS_URL"))
        redis_of_workers = redis_connection.connect(read_secret("REDIS_URL"), redis_connection.WORKER_RETRIES)
        key = signing.load_signing_key()
    except (ConfigError, redis_connection.RedisUnavailable) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        publish_inventory(redis, key, inventory_hosts, configuration.rights)
    except RedisError as redis_error:
        print(f"{unavailable_reason(redis_error) or redis_error}. Fix this, then start again.", file=sys.stderr)
        return 1
    redis.close()
    redis_of_workers.close()  # each connects by itself
    number = settings_once().fleet.parallel if queue == CHANGES_QUEUE else 1
    return run_pool(number, lambda: _run_worker(queue, redis_of_workers))


def _run_worker(queue: str, redis: Redis) -> None:
    worker = ImkerWorker(
        [ImkerQueue(queue, connection=redis, serializer=JSONSerializer)],
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL,
        maintenance_interval=MAINTENANCE_INTERVAL,
        job_monitoring_interval=MONITORING_INTERVAL,
    )
    worker.log_job_description = False
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
