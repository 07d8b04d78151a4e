"""Socket Mode: the app's connections, and the envelopes that go to any one of them until it acknowledges."""

import asyncio
import contextlib
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from lab.slack.faults import Faults

ACK_TIMEOUT = 3.0  # seconds Slack waits for an acknowledgement
CLOSED_ERRORS = (WebSocketDisconnect, RuntimeError, OSError)  # what a connection that is closing raises
Envelope = dict[str, Any]


class SocketMode:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._connections: list[WebSocket] = []
        self.pong_count = 0
        self._deafened: set[tuple[str, int]] = set()  # by the caller's address: these stay so while they last
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._next_connection = 0

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    async def serve(self, socket: WebSocket) -> None:
        """One connection's life."""
        if self._faults.is_active("socket", "away"):
            return await socket.close()
        await socket.accept()
        self._connections.append(socket)
        try:
            await socket.send_json({"type": "hello", "num_connections": self.connection_count, "debug_info": {}})
            while True:
                message = await socket.receive_json()
                ack = self._acks.get(message.get("envelope_id", ""))
                if ack and not ack.done():
                    ack.set_result(message.get("payload") or {})
        except (*CLOSED_ERRORS, AttributeError, KeyError, ValueError):
            return None
        finally:
            self._discard(socket)
            self._deafened.discard(_client_address(socket))

    async def deliver(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Sends an envelope; what the app answered, `acked`, `seconds`. Late and repeated if a fault says so."""
        delay = self._faults.consume("socket", "late")
        if delay:
            await asyncio.sleep(delay.seconds)
        envelope_id, loop = str(uuid.uuid4()), asyncio.get_running_loop()
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": True}
        ack = self._acks[envelope_id] = loop.create_future()
        started_at = loop.time()
        try:
            if not await self._send(envelope):
                return {"acked": False, "seconds": 0.0, "payload": {}}  # Slack tells its user at once
            if self._faults.consume("socket", "repeat"):
                await self._send(envelope)
                await self._send({**envelope, "envelope_id": str(uuid.uuid4()), "retry_attempt": 1})
            response = await asyncio.wait_for(ack, ACK_TIMEOUT)
        except TimeoutError:
            return {"acked": False, "seconds": loop.time() - started_at, "payload": {}}
        finally:
            del self._acks[envelope_id]
        return {"acked": True, "seconds": loop.time() - started_at, "payload": response}

    def deafen(self) -> None:
        """The connections that there are hear nothing more and get no pong, though they stay open; new ones do."""
        self._deafened |= set(map(_client_address, self._connections))

    def can_receive(self, address: tuple[str, int] | None) -> bool:
        return address not in self._deafened and not self._faults.is_active("socket", "deaf")

    async def disconnect(self, reason: str) -> None:
        """As Slack refreshes its connections: it says so, and closes."""
        for socket in list(self._connections):
            with contextlib.suppress(*CLOSED_ERRORS):
                await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
            await self._close(socket)

    async def cut_if_away(self) -> None:
        """Without a word."""
        if self._faults.is_active("socket", "away"):
            for socket in list(self._connections):
                await self._close(socket)

    async def _send(self, envelope: Envelope) -> bool:
        """To any one connection, each in turn, that is not just closing; whether there is one."""
        while self._connections:
            self._next_connection += 1
            socket = self._connections[self._next_connection % len(self._connections)]
            if not self.can_receive(_client_address(socket)):
                return True
            try:
                await socket.send_json(envelope)
                return True
            except CLOSED_ERRORS:
                self._discard(socket)
        return False

    async def _close(self, socket: WebSocket) -> None:
        self._discard(socket)
        with contextlib.suppress(*CLOSED_ERRORS):
            await socket.close()

    def _discard(self, socket: WebSocket) -> None:
        with contextlib.suppress(ValueError):
            self._connections.remove(socket)


def _client_address(socket: WebSocket) -> tuple[str, int]:
    return (socket.client.host, socket.client.port) if socket.client else ("", 0)
