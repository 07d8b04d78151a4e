"""Store which runs are shown as lost, and until when the reconciler checks each of them again."""

from typing import Any

from redis import Redis

LOST_RUNS_KEY = "bot:lost"


class LostRuns:
    """Read and write the index of lost runs."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def add(self, run: str, until: float) -> None:
        """Check the run again until then (UNIX seconds)."""
        self._redis.zadd(LOST_RUNS_KEY, {run: until})

    def all(self) -> list[tuple[str, float]]:
        """Return run IDs and their deadlines (UNIX seconds), latest deadline first."""
        entries: Any = self._redis.zrevrange(LOST_RUNS_KEY, 0, -1, withscores=True)
        return [(run.decode(errors="replace"), until) for run, until in entries]

    def remove(self, run: str) -> None:
        """Stop checking the run."""
        self._redis.zrem(LOST_RUNS_KEY, run)
