"""Socket Mode: the app's connections, and the envelopes that go to any one of them until it acknowledges."""

import asyncio
import contextlib
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from lab.slack.faults import Faults

ACK = 3.0  # seconds Slack waits for an acknowledgement


class Sockets:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: list[WebSocket] = []
        self.pongs = 0
        self._deaf: set[tuple[str, int]] = set()  # by the caller's address: these stay so
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0

    @property
    def count(self) -> int:
        return len(self._open)

    async def serve(self, socket: WebSocket) -> None:
        """One connection's life."""
        await socket.accept()
        await socket.send_json({"type": "hello", "num_connections": len(self._open) + 1, "debug_info": {}})
        self._open.append(socket)
        try:
            while True:
                said = await socket.receive_json()
                waiting = self._acks.get(said.get("envelope_id", ""))
                if waiting and not waiting.done():
                    waiting.set_result(said.get("payload") or {})
        except (WebSocketDisconnect, ValueError, RuntimeError):
            return
        finally:
            with contextlib.suppress(ValueError):
                self._open.remove(socket)

    async def deliver(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Sends an envelope; what the app answered, `acked`, `seconds`. Late and repeated if a fault says so."""
        late = self._faults.take("socket", "late")
        if late:
            await asyncio.sleep(late.seconds)
        if not self._open:
            return {"acked": False, "seconds": 0.0, "payload": {}}  # Slack tells its user at once
        envelope = {
            "envelope_id": str(uuid.uuid4()),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": True,
        }
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._acks[envelope["envelope_id"]] = waiting  # type: ignore[index]
        began = loop.time()
        await self._send(envelope)
        if self._faults.take("socket", "repeat"):
            await self._send(envelope)
            await self._send({**envelope, "envelope_id": str(uuid.uuid4()), "retry_attempt": 1})
        try:
            answered = await asyncio.wait_for(waiting, ACK)
        except TimeoutError:
            return {"acked": False, "seconds": loop.time() - began, "payload": {}}
        return {"acked": True, "seconds": loop.time() - began, "payload": answered}

    def deafen(self) -> None:
        """The connections that there are hear nothing more and get no pong, though they stay open; new ones do."""
        self._deaf |= {tuple(socket.client) for socket in self._open if socket.client}  # type: ignore[misc]

    def hears(self, client: tuple[str, int] | None) -> bool:
        return client not in self._deaf and not self._faults.on("socket", "deaf")

    async def disconnect(self, reason: str) -> None:
        """As Slack refreshes its connections: it says so, and closes."""
        for socket in list(self._open):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
            await socket.close()

    async def _send(self, envelope: dict[str, Any]) -> None:
        """To any one connection, each in turn."""
        if self._open:
            self._next += 1
            socket = self._open[self._next % len(self._open)]
            if socket.client and self.hears(tuple(socket.client)):  # type: ignore[arg-type]
                await socket.send_json(envelope)
