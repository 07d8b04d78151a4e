"""Log a value that Redis holds and that cannot be used, once a process: readers come by it again and again."""

from functools import lru_cache

import structlog

log = structlog.get_logger()


@lru_cache(maxsize=10_000)
def log_ignored(place: str, entry: str) -> None:
    """Log that the value at `place` was not written by Imker, or with another key."""
    log.warning("passed over: this was not written by Imker, or with another key", place=place, what=entry)


@lru_cache(maxsize=10_000)
def log_other_version(place: str) -> None:
    """Log that the value at `place` is signed, but not understood by this version."""
    log.warning("passed over: another version of Imker wrote this", place=place)
