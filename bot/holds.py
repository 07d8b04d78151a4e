"""What people said of a run that goes on: pause, resume, cancel. The newest word counts, by when it was said."""

from typing import Any

from pydantic import ValidationError
from redis import Redis

from bot.record import KEPT
from jobs.contract import HOLD, Hold, hold_key

LATE = 30 * 60  # seconds after which nothing is delivered any more


def keep(redis: "Redis", run: str, hold: Hold) -> None:
    """Words come late when a bot died over them. None is later than LATE: the clock was set back meanwhile."""
    words: Any = redis.zrevrange(hold_key(run), 0, 0, withscores=True)
    newest = words[0][1] if words else hold.at
    redis.zadd(hold_key(run), {HOLD.dump_json(hold): newest + 1 if newest - hold.at > LATE else hold.at})
    redis.expire(hold_key(run), KEPT)


def newest(redis: "Redis", run: str) -> Hold | None:
    words: Any = redis.zrevrange(hold_key(run), 0, 0)
    try:
        return HOLD.validate_json(words[0]) if words else None
    except ValidationError:
        return None  # none of ours
