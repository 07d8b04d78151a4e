"""What an error of Redis's means for who asked: whether Redis takes nothing just now, and why, in words. Pure."""

from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

NOT_RESPONDING = "Redis does not answer"
_REASONS = {
    "MISCONF": "Redis cannot write to its disk; it may be full",
    "NOREPLICAS": "Redis has too few replicas to take anything",
}


def unavailable_reason(error: RedisError) -> str:
    """Why Redis takes nothing, "" for an answer that is about what was asked of it."""
    if isinstance(error, OutOfMemoryError):
        return "Redis is full: its maxmemory is reached"
    if isinstance(error, ReadOnlyError):
        return "Redis is read-only: it is another's replica"
    if isinstance(error, ResponseError):
        return _REASONS.get(str(error).partition(" ")[0], "")
    return NOT_RESPONDING


def was_rejected(error: RedisError) -> bool:
    """Whether Redis said no, so that nothing was done. A silent one may have done it all the same."""
    return isinstance(error, ResponseError)
