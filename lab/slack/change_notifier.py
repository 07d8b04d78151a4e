"""A number that grows with each change. Whoever looks again later misses none, also of those in between."""

import asyncio
import contextlib


class ChangeNotifier:
    def __init__(self) -> None:
        self.version = 0
        self._changed = asyncio.Event()

    def notify(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_change(self, version: int, seconds: float) -> int:
        """The version once there is a later one than this, or the same when there is none in so many seconds."""
        if self.version == version:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        return self.version
