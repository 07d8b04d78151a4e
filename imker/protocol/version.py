"""The names that both sides meet under in Redis, and the version of what they say there."""

PROTOCOL_VERSION = (
    1  # raised when an older side could misread a message; one that is not understood is refused in words
)
SUPPORTED_VERSIONS = (
    PROTOCOL_VERSION,
)  # and older ones, while what they say means the same here: a job may be older than its worker

CHANGES_QUEUE, READS_QUEUE = "changes", "reads"  # RQ queues, one RQ worker process each
JOB_FUNCTION = "jobs.run.run"  # the one function an RQ worker runs
WAKE_CHANNEL = "imker:bell"  # pub/sub: a run's ID, whenever it has something new
ACCEPTANCE_RULES_KEY = "imker:accepting"  # JSON of what an acceptance must be, as the jobs' side has it: for the doctor
INVENTORY_KEY = "imker:inventory"  # JSON list of host names, for near misses; never what a right is decided by


def events_key(run: str) -> str:
    return f"run:{run}:events"


def hold_key(run: str) -> str:
    """A run's Holds by when they were said, the last of which counts: looked at between steps, never within one."""
    return f"run:{run}:hold"


def consumed_key(run: str, job: int) -> str:
    """That a request was taken up: it is, once."""
    return f"imker:used:{job_id(run, job)}"


def job_id(run: str, job: int) -> str:
    return f"{run}-{job}"
