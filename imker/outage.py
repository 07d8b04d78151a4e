"""What an error of Redis's means for who asked: whether Redis takes nothing just now, and why, in words. Pure."""

from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

SILENT = "Redis does not answer"
_WORDS = {
    "MISCONF": "Redis cannot write to its disk; it may be full",
    "NOREPLICAS": "Redis has too few replicas to take anything",
}


def outage(failed: RedisError) -> str:
    """Why Redis takes nothing, "" for an answer that is about what was asked of it."""
    if isinstance(failed, OutOfMemoryError):
        return "Redis is full: its maxmemory is reached"
    if isinstance(failed, ReadOnlyError):
        return "Redis is read-only: it is another's replica"
    if isinstance(failed, ResponseError):
        return _WORDS.get(str(failed).partition(" ")[0], "")
    return SILENT


def refused(failed: RedisError) -> bool:
    """Whether Redis said no, so that nothing was done. A silent one may have done it all the same."""
    return isinstance(failed, ResponseError)
