"""`python -m jobs changes` or `reads`: an RQ worker for one queue. Checks the configuration before it takes a job.

`python -m jobs doctor` looks at all that the jobs need, and says what to do; `check` at the configuration alone.
`repair` takes away a fencing number that no run can have.
"""

import os
import sys

from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from imker import broker, log, signing
from imker.config import ConfigError
from imker.outage import outage
from jobs import doctor, inventory, repair
from jobs.contract import CHANGES, READS
from jobs.crew import crew
from jobs.guard import GuardedQueue, GuardedWorker
from jobs.run import prepare, tell_hosts

TTL, MAINTENANCE, MONITORING = 30, 10, 5  # seconds: a dead RQ worker is noticed within a minute


def main() -> int:
    if sys.argv[1:2] == ["repair"] and len(sys.argv) == 3:
        return repair.main(sys.argv[2])
    queue = sys.argv[1] if len(sys.argv) == 2 else ""
    if queue == "doctor":
        log.set_up()
        return doctor.main()
    if queue == "check":
        return _check()
    if queue not in (CHANGES, READS):
        print(f"usage: python -m jobs {CHANGES}|{READS}|check|doctor|repair HOST|repair swarm", file=sys.stderr)
        return 2
    log.set_up()
    try:
        loaded, known = inventory.configured()
        redis = broker.connect(os.environ.get("REDIS_URL"))
        key = signing.load()
    except (ConfigError, broker.NoRedis) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    try:
        tell_hosts(redis, key, known, loaded.rights)
    except RedisError as failed:
        print(f"{outage(failed) or failed}; start again when that is mended", file=sys.stderr)
        return 1
    redis.close()
    return crew(prepare().fleet.parallel if queue == CHANGES else 1, lambda: _work(queue))


def _check() -> int:
    """All that is wrong with the configuration, a line each."""
    try:
        inventory.configured()
    except ConfigError as wrong:
        print(wrong)
        return 2
    return 0


def _work(queue: str) -> None:
    redis: Redis = broker.connect(os.environ.get("REDIS_URL"), broker.PATIENT)
    worker = GuardedWorker(
        [GuardedQueue(queue, connection=redis, serializer=JSONSerializer)],
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=TTL,
        maintenance_interval=MAINTENANCE,
        job_monitoring_interval=MONITORING,
    )
    worker.log_job_description = False
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    sys.exit(main())
