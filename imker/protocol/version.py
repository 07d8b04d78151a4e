"""The protocol version of bot and jobs, and the names that both use in Redis."""

# Raise it when an older side could misread a message. Messages of unsupported versions are refused in words.
PROTOCOL_VERSION = 2
# Add an older version only if its messages mean the same here: a job may be older than its worker.
SUPPORTED_VERSIONS = (2,)

CHANGES_QUEUE, READS_QUEUE = "changes", "reads"  # RQ queues, one RQ worker process each
JOB_FUNCTION = "jobs.run.run"  # the one function an RQ worker runs
WAKE_CHANNEL = "imker:wake"  # pub/sub: a run's ID, whenever it has something new
ACCEPTANCE_RULES_KEY = "imker:acceptance-rules"  # JSON of the RQ workers' acceptance rules: for the bot's doctor
INVENTORY_KEY = "imker:inventory"  # JSON list of host names, for near misses; never what a right is decided by


def events_key(run: str) -> str:
    return f"run:{run}:events"


def hold_key(run: str) -> str:
    """A run's Holds by when they were said, the last of which counts: looked at between steps, never within one."""
    return f"run:{run}:hold"


def consumed_key(run: str, job: int) -> str:
    """That a request was taken up: it is, once."""
    return f"imker:consumed:{job_id(run, job)}"


def job_id(run: str, job: int) -> str:
    return f"{run}-{job}"
