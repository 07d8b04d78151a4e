"""Socket Mode: the app's connections, and the envelopes that go to any one of them until it acknowledges."""

import asyncio
import contextlib
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from lab.slack.faults import Faults

ACK = 3.0  # seconds Slack waits for an acknowledgement
GONE = (WebSocketDisconnect, RuntimeError, OSError)  # what a connection that is closing raises
Envelope = dict[str, Any]


class Sockets:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: list[WebSocket] = []
        self.pongs = 0
        self._deaf: set[tuple[str, int]] = set()  # by the caller's address: these stay so while they last
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0

    @property
    def count(self) -> int:
        return len(self._open)

    async def serve(self, socket: WebSocket) -> None:
        """One connection's life."""
        if self._faults.on("socket", "away"):
            return await socket.close()
        await socket.accept()
        self._open.append(socket)
        try:
            await socket.send_json({"type": "hello", "num_connections": self.count, "debug_info": {}})
            while True:
                said = await socket.receive_json()
                waiting = self._acks.get(said.get("envelope_id", ""))
                if waiting and not waiting.done():
                    waiting.set_result(said.get("payload") or {})
        except (*GONE, AttributeError, KeyError, ValueError):
            return None
        finally:
            self._forget(socket)
            self._deaf.discard(_caller(socket))

    async def deliver(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Sends an envelope; what the app answered, `acked`, `seconds`. Late and repeated if a fault says so."""
        late = self._faults.take("socket", "late")
        if late:
            await asyncio.sleep(late.seconds)
        known, loop = str(uuid.uuid4()), asyncio.get_running_loop()
        envelope = {"envelope_id": known, "type": kind, "payload": payload, "accepts_response_payload": True}
        waiting = self._acks[known] = loop.create_future()
        began = loop.time()
        try:
            if not await self._sent(envelope):
                return {"acked": False, "seconds": 0.0, "payload": {}}  # Slack tells its user at once
            if self._faults.take("socket", "repeat"):
                await self._sent(envelope)
                await self._sent({**envelope, "envelope_id": str(uuid.uuid4()), "retry_attempt": 1})
            answered = await asyncio.wait_for(waiting, ACK)
        except TimeoutError:
            return {"acked": False, "seconds": loop.time() - began, "payload": {}}
        finally:
            del self._acks[known]
        return {"acked": True, "seconds": loop.time() - began, "payload": answered}

    def deafen(self) -> None:
        """The connections that there are hear nothing more and get no pong, though they stay open; new ones do."""
        self._deaf |= set(map(_caller, self._open))

    def hears(self, caller: tuple[str, int] | None) -> bool:
        return caller not in self._deaf and not self._faults.on("socket", "deaf")

    async def disconnect(self, reason: str) -> None:
        """As Slack refreshes its connections: it says so, and closes."""
        for socket in list(self._open):
            with contextlib.suppress(*GONE):
                await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
            await self._close(socket)

    async def cut_if_away(self) -> None:
        """Without a word."""
        if self._faults.on("socket", "away"):
            for socket in list(self._open):
                await self._close(socket)

    async def _sent(self, envelope: Envelope) -> bool:
        """To any one connection, each in turn, that is not just closing; whether there is one."""
        while self._open:
            self._next += 1
            socket = self._open[self._next % len(self._open)]
            if not self.hears(_caller(socket)):
                return True
            try:
                await socket.send_json(envelope)
                return True
            except GONE:
                self._forget(socket)
        return False

    async def _close(self, socket: WebSocket) -> None:
        self._forget(socket)
        with contextlib.suppress(*GONE):
            await socket.close()

    def _forget(self, socket: WebSocket) -> None:
        with contextlib.suppress(ValueError):
            self._open.remove(socket)


def _caller(socket: WebSocket) -> tuple[str, int]:
    return (socket.client.host, socket.client.port) if socket.client else ("", 0)
