"""Socket Mode: the app's connections, and the envelopes that go to one of them until it acknowledges."""

import asyncio
import contextlib
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from lab.slack.faults import Faults
from lab.slack.patience import PATIENCE

ACK_TIMEOUT = PATIENCE  # seconds that Slack waits for an acknowledgement
CLOSED_ERRORS = (WebSocketDisconnect, RuntimeError, OSError)  # raised by a connection that is closing
Envelope = dict[str, Any]


class SocketMode:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._connections: list[WebSocket] = []
        self.pong_count = 0
        self._deafened: set[tuple[str, int]] = (
            set()
        )  # connections by client address that stay deafened until they close
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._next_connection = 0

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection until it closes."""
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
        """Send an envelope and return the app's response, `acked`, and `seconds`. Faults delay or repeat it."""
        delay = self._faults.consume("socket", "late")
        if delay:
            await asyncio.sleep(delay.seconds)
        envelope_id, loop = str(uuid.uuid4()), asyncio.get_running_loop()
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": True}
        ack = self._acks[envelope_id] = loop.create_future()
        started_at = loop.time()
        try:
            if not await self._send(envelope):
                return {"acked": False, "seconds": 0.0, "payload": {}}  # the user gets an error immediately
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
        """Stop delivering to the present connections and answering their pings. They stay open; new ones work."""
        self._deafened |= set(map(_client_address, self._connections))

    def can_receive(self, address: tuple[str, int] | None) -> bool:
        return address not in self._deafened and not self._faults.is_active("socket", "deaf")

    async def disconnect(self, reason: str) -> None:
        """Announce a disconnect and close all connections, as Slack does to refresh them."""
        for socket in list(self._connections):
            with contextlib.suppress(*CLOSED_ERRORS):
                await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
            await self._close(socket)

    async def cut_if_away(self) -> None:
        """Close connections whose app does not respond, without notice."""
        if self._faults.is_active("socket", "away"):
            for socket in list(self._connections):
                await self._close(socket)

    async def _send(self, envelope: Envelope) -> bool:
        """Send to one open connection, in turn. Return False if there is none."""
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
