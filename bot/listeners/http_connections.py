"""HTTP connections with one request each, which must be complete within a few seconds.

In: uvicorn's protocol. Out: a protocol that closes slow connections, and the oldest ones when there are too many.
Clients that send half a request cannot block those that send a complete one.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_WAITING = 512  # connections without a complete request
MAX_OPEN = 64 * 2**20  # bytes received on all of them
TIMEOUT_RESPONSE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CLOSE_HEADERS = [("connection", "close")]  # of every response: no connection waits for a second request


def bounded_protocol(seconds: float) -> type[asyncio.Protocol]:
    """Return the protocol for one server. `seconds`: from the connection to the end of its request."""

    class Bounded(H11Protocol):
        waiting: "dict[Bounded, int]" = {}  # noqa: RUF012  # oldest first, with the bytes received

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.waiting[self] = 0
            self._deadline = self.loop.call_later(seconds, self.expire)
            self._make_room()

        def data_received(self, data: bytes) -> None:
            if self in self.waiting:
                self.waiting[self] += len(data)
                self._make_room()
            if not self.transport.is_closing():
                super().data_received(data)
            if self.cycle and not self.cycle.more_body:
                self._settle()

        def connection_lost(self, exc: Exception | None) -> None:
            self._settle()
            super().connection_lost(exc)

        def expire(self) -> None:
            """Close the connection, with status 408 unless a response has begun."""
            self._settle()
            if not (self.cycle and self.cycle.response_started):
                self.transport.write(TIMEOUT_RESPONSE)
            self.transport.close()

        def _make_room(self) -> None:
            while len(self.waiting) > MAX_WAITING or sum(self.waiting.values()) > MAX_OPEN:
                next(iter(self.waiting)).expire()

        def _settle(self) -> None:
            self.waiting.pop(self, None)
            self._deadline.cancel()

    return Bounded
