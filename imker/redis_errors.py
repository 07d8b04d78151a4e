"""Explain Redis errors: is Redis unavailable for writes, and why? Pure."""

from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

NOT_RESPONDING = "Redis is not responding"
_REASONS = {
    "MISCONF": "Redis cannot write to its disk, which may be full",
    "NOREPLICAS": "Redis has too few replicas to accept writes",
}


def unavailable_reason(error: RedisError) -> str:
    """Return why Redis is unavailable, "" if the error is about the command itself."""
    if isinstance(error, OutOfMemoryError):
        return "Redis is full: it has reached maxmemory"
    if isinstance(error, ReadOnlyError):
        return "Redis is read-only: it is a replica"
    if isinstance(error, ResponseError):
        return _REASONS.get(str(error).partition(" ")[0], "")
    return NOT_RESPONDING


def was_rejected(error: RedisError) -> bool:
    """Return whether Redis rejected the command. After a timeout the command may still have been applied."""
    return isinstance(error, ResponseError)
