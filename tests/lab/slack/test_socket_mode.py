"""Envelopes and changes while connections are closing: none is lost, and nothing is stored forever."""

import asyncio
from typing import Any

from lab.slack.change_notifier import ChangeNotifier
from lab.slack.faults import Fault, Faults
from lab.slack.socket_mode import SocketMode


class Connection:
    """A starlette WebSocket, as far as SocketMode uses one. A `closing` one refuses to send."""

    def __init__(self, port: int, *, closing: bool = False) -> None:
        self.client = type("Address", (), {"host": "127.0.0.1", "port": port})
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.closing, self.closed, self.sent = closing, False, []

    async def accept(self) -> None: ...

    async def close(self) -> None:
        self.closed = True
        self.incoming.put_nowait(RuntimeError("closed"))
        if self.closing:
            raise RuntimeError("it is closed already")

    async def send_json(self, value: dict[str, Any]) -> None:
        if self.closing and value["type"] != "hello":
            raise RuntimeError("it is closing")
        self.sent.append(value["type"])
        if "envelope_id" in value:
            self.incoming.put_nowait({"envelope_id": value["envelope_id"], "payload": {"port": self.client.port}})

    async def receive_json(self) -> Any:
        message = await self.incoming.get()
        if isinstance(message, Exception):
            raise message
        return message


async def _serve(sockets: SocketMode, *connections: Connection) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(sockets.serve(connection)) for connection in connections]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return tasks


def test_skips_a_closing_connection() -> None:
    async def scenario() -> None:
        sockets, good = SocketMode(Faults()), Connection(3)
        await _serve(sockets, Connection(1, closing=True), Connection(2, closing=True), good)
        answers = [await sockets.deliver("interactive", {}) for _ in range(3)]
        assert [answer["payload"] for answer in answers] == [{"port": 3}] * 3
        assert sockets.connection_count == 1
        assert sockets._acks == {}, "no acknowledgement is stored after its delivery"

    asyncio.run(scenario())


def test_refreshes_all_connections_although_one_is_closing() -> None:
    async def scenario() -> None:
        sockets, connections = SocketMode(Faults()), [Connection(1, closing=True), Connection(2), Connection(3)]
        await asyncio.gather(*await _serve(sockets, *connections), sockets.disconnect("refresh_requested"))
        assert all(connection.closed for connection in connections)
        assert [connection.sent for connection in connections] == [
            ["hello"],
            ["hello", "disconnect"],
            ["hello", "disconnect"],
        ]
        assert sockets.connection_count == 0

    asyncio.run(scenario())


def test_a_port_is_deafened_only_while_its_connection_lasts() -> None:
    async def scenario() -> None:
        sockets, connection = SocketMode(Faults()), Connection(1)
        (task,) = await _serve(sockets, connection)
        sockets.deafen()
        assert not sockets.can_receive(("127.0.0.1", 1))
        await connection.close()
        await task
        assert sockets.can_receive(("127.0.0.1", 1))

    asyncio.run(scenario())


def test_closes_and_refuses_connections_while_slack_is_down() -> None:
    async def scenario() -> None:
        faults = Faults()
        sockets, before, after = SocketMode(faults), Connection(1), Connection(2)
        await _serve(sockets, before)
        faults.add(Fault("away", method="chat.update"))
        await sockets.cut_if_away()
        assert not before.closed, "one method is not all of Slack"
        faults.add(Fault("away", times=-1))
        await sockets.cut_if_away()
        await _serve(sockets, after)
        assert (before.closed, after.closed, after.sent) == (True, True, [])
        assert not (await sockets.deliver("interactive", {}))["acked"]

    asyncio.run(scenario())


def test_misses_no_change_between_two_polls() -> None:
    async def scenario() -> None:
        changes = ChangeNotifier()
        message = await changes.wait_for_change(-1, 5)
        changes.notify()
        changes.notify()
        assert await asyncio.wait_for(changes.wait_for_change(message, 60), 1) == 2
        waiting = asyncio.create_task(changes.wait_for_change(2, 60))
        await asyncio.sleep(0)
        changes.notify()
        assert await asyncio.wait_for(waiting, 1) == 3
        assert await changes.wait_for_change(3, 0.01) == 3

    asyncio.run(scenario())
