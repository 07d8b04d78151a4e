"""A number that grows with each change. Whoever looks again later misses none, also of those in between."""

import asyncio
import contextlib


class Changes:
    def __init__(self) -> None:
        self.version = 0
        self._bell = asyncio.Event()

    def tell(self) -> None:
        self.version += 1
        self._bell.set()
        self._bell = asyncio.Event()

    async def after(self, version: int, seconds: float) -> int:
        """The version once there is a later one than this, or the same when there is none in so many seconds."""
        if self.version == version:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), seconds)
        return self.version
