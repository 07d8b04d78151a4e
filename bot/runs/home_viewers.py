"""Store who opened the Home tab recently, and which channels wait for a welcome.

IDs only: what is shown follows the rights.
"""

from typing import Any

from redis import Redis

HOME_KEY, WELCOME_KEY = "bot:home", "bot:welcome"
VIEWING_SECONDS = 3600.0  # after the Home tab was opened, during which it is kept current
MAX_VIEWERS = 200  # users whose Home tab is kept current; the latest ones


class HomeViewers:
    """Read and write who opened the Home tab, and when (UNIX seconds)."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def open(self, user: str, at: float) -> None:
        """Record that the user opened the Home tab, and drop those who did so long ago."""
        self._redis.zadd(HOME_KEY, {user: at})
        self._redis.zremrangebyscore(HOME_KEY, "-inf", at - VIEWING_SECONDS)

    def recent(self, now: float) -> list[tuple[str, float]]:
        """Return who opened the Home tab recently, and when, latest first."""
        entries: Any = self._redis.zrevrange(HOME_KEY, 0, MAX_VIEWERS - 1, withscores=True)
        viewers = ((user.decode(errors="replace"), at) for user, at in entries)
        return [(user, at) for user, at in viewers if now - at < VIEWING_SECONDS]


class Welcomes:
    """Read and write the channels that the bot has joined and not welcomed yet."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def request(self, channel: str) -> None:
        """Ask the reconciler for a welcome in the channel."""
        self._redis.sadd(WELCOME_KEY, channel)

    def requested(self) -> list[str]:
        """Return the channels that wait for a welcome."""
        return sorted(channel.decode(errors="replace") for channel in self._redis.smembers(WELCOME_KEY))  # type: ignore[union-attr]

    def remove(self, channel: str) -> None:
        """Remove a channel that was welcomed, or that cannot be."""
        self._redis.srem(WELCOME_KEY, channel)
