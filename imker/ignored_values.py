"""Log values in Redis that are ignored, each once per process: readers see them again and again."""

from functools import lru_cache

import structlog

log = structlog.get_logger()


@lru_cache(maxsize=10_000)
def log_ignored(place: str, entry: str) -> None:
    """Log that the value at `place` has an invalid signature."""
    log.warning("ignored: not signed by Imker, or with another IMKER_SIGNING_KEY", place=place, what=entry)


@lru_cache(maxsize=10_000)
def log_other_version(place: str) -> None:
    """Log that the value at `place` is signed, but from another version."""
    log.warning("ignored: written by another version of Imker", place=place)
