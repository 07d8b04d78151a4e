"""The protocol version of bot and jobs, and the names that both use in Redis."""

# Raise it when an older side could misread a message. Messages of unsupported versions are refused in words.
PROTOCOL_VERSION = 2
# Add an older version only if its messages mean the same here: a job may be older than its worker.
SUPPORTED_VERSIONS = (2,)

CHANGES_QUEUE, READS_QUEUE = "changes", "reads"  # RQ queues, one RQ worker process each
JOB_FUNCTION = "jobs.run.run"  # the only function that an RQ worker runs
WAKE_CHANNEL = "imker:wake"  # pub/sub channel; the message is the ID of a run that changed
OUTCOME_MARK = b"!"  # the end of that message if a job ended or a user decided, so that a fleet may continue
ACCEPTANCE_RULES_KEY = "imker:acceptance-rules"  # JSON of the RQ workers' acceptance rules: for the bot's doctor
INVENTORY_KEY = "imker:inventory"  # JSON list of host names, for suggestions only: never authorize with it

RECONCILER_KEY = "bot:reconciler"  # the lease of the active reconciler
BOT_CONNECTED_KEY = "bot:connected"  # exists while a bot is connected to Slack
LAST_NODES_KEY = "imker:last-nodes"  # JSON of the last node table, for when no manager answers and for the Home tab
KNOWN_SWARM_KEY = "imker:swarm"  # JSON of the known swarm: its ID and its managers
OBSERVATION_KEY = "imker:observation"  # JSON of the watch's last look at the swarm
HOST_OBSERVATION_KEY = "imker:host-observation"  # JSON of the watch's last look at the hosts


def events_key(run: str) -> str:
    """Return the key of the stream of a run's events."""
    return f"run:{run}:events"


def hold_key(run: str) -> str:
    """Return the key of a run's holds, ordered by time. The latest counts. Jobs check it between steps."""
    return f"run:{run}:hold"


def options_key(host: str) -> str:
    """Return the key of the digests of the daemon options with which Imker left the host."""
    return f"imker:options:{host}"


def consumed_key(run: str, job: int) -> str:
    """Return the key that marks a request as consumed. Each request is processed once."""
    return f"imker:consumed:{job_id(run, job)}"


def job_id(run: str, job: int) -> str:
    """Return the ID of a run's job in RQ."""
    return f"{run}-{job}"
