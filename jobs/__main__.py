"""`python -m jobs changes` or `reads`: an RQ worker for one queue. Checks the configuration before it takes a job.

`python -m jobs doctor` looks at all that the jobs need, and says what to do; `check` at the configuration alone.
`repair` takes away a fencing number that no run can have.
"""

import os
import sys

from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from imker import log, redis_connection, signing
from imker.config import ConfigError
from imker.doctor import check_configuration
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE
from imker.redis_errors import unavailable_reason
from jobs import repair
from jobs.handlers import doctor
from jobs.inventory import hosts
from jobs.run import publish_inventory, settings_once
from jobs.worker.dead_workers import ImkerQueue, ImkerWorker
from jobs.worker.pool import run_pool

WORKER_TTL, MAINTENANCE_INTERVAL, MONITORING_INTERVAL = (
    30,
    10,
    5,
)  # seconds: a dead RQ worker is noticed within a minute


def main() -> int:
    if sys.argv[1:2] == ["repair"] and len(sys.argv) == 3:
        return repair.main(sys.argv[2])
    queue = sys.argv[1] if len(sys.argv) == 2 else ""
    if queue == "doctor":
        log.configure_logging()
        return doctor.run_doctor()
    if queue == "check":
        return check_configuration(hosts.load_checked)
    if queue not in (CHANGES_QUEUE, READS_QUEUE):
        print(
            f"usage: python -m jobs {CHANGES_QUEUE}|{READS_QUEUE}|check|doctor|repair HOST|repair swarm",
            file=sys.stderr,
        )
        return 2
    log.configure_logging()
    try:
        configuration, inventory_hosts = hosts.load_checked()
        redis = redis_connection.connect(os.environ.get("REDIS_URL"))
        key = signing.load_signing_key()
    except (ConfigError, redis_connection.RedisUnavailable) as configuration_error:
        print(configuration_error, file=sys.stderr)
        return 2
    try:
        publish_inventory(redis, key, inventory_hosts, configuration.rights)
    except RedisError as redis_error:
        print(f"{unavailable_reason(redis_error) or redis_error}; start again when that is mended", file=sys.stderr)
        return 1
    redis.close()
    return run_pool(settings_once().fleet.parallel if queue == CHANGES_QUEUE else 1, lambda: _run_worker(queue))


def _run_worker(queue: str) -> None:
    redis: Redis = redis_connection.connect(os.environ.get("REDIS_URL"), redis_connection.WORKER_RETRIES)
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
    sys.exit(main())
