"""Store pause, resume, and cancel requests in Redis. The latest one counts, by the time of the request."""

from collections.abc import Sequence

from redis import Redis

from bot.records import RETENTION
from imker.protocol.commands import Hold
from imker.protocol.signed import decode_latest_hold, sign_hold
from imker.protocol.version import hold_key
from imker.run_streams import read_latest_hold
from imker.signing import SigningKey

CLOCK_TOLERANCE = 30 * 60  # seconds after which a delivery expires


def add(redis: "Redis", key: SigningKey, run: str, hold: Hold) -> None:
    """Add a hold, ordered by the time of the request.

    A hold can arrive late, after a bot crashed while handling it, but never later than CLOCK_TOLERANCE. If the latest
    hold is newer than that, the clock was set back, and this hold becomes the latest.
    """
    latest = read_latest_hold(redis, key, run)
    clock_set_back = latest is not None and latest[1] - hold.requested_at > CLOCK_TOLERANCE
    score = latest[1] + 1 if latest and clock_set_back else hold.requested_at
    redis.zadd(hold_key(run), {sign_hold(run, hold, score, key): score})
    redis.expire(hold_key(run), RETENTION)


def current(redis: "Redis", key: SigningKey, runs: Sequence[str]) -> dict[str, Hold | None]:
    """Return the latest hold with a valid signature of each run."""
    pipeline = redis.pipeline(transaction=False)
    for run in runs:
        pipeline.zrevrange(hold_key(run), 0, -1, withscores=True)
    entries = zip(runs, pipeline.execute(), strict=True)
    latest = {run: decode_latest_hold(run, holds, key) for run, holds in entries}
    return {run: hold[0] if hold else None for run, hold in latest.items()}
