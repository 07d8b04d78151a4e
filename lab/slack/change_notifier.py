"""A version number that grows with each change, so that a client that polls later misses none."""

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
        """Return the version as soon as it is later than this one, or unchanged after that many seconds."""
        if self.version == version:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        return self.version
