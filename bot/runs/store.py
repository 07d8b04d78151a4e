"""Give the bot and the reconciler one object for all runs in Redis."""

from bot.runs.lifecycle import RunLifecycle
from bot.runs.queries import RunQueries


class RunStore(RunLifecycle, RunQueries):
    """Combine records (`record_store`), snapshots, changes (`lifecycle`), and lookups (`queries`)."""
