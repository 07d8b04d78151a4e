"""A host's listening socket, opened and closed as the host goes up and down. Each connection gets a thread.

While it is closed, connections are refused, as on a host where nothing listens.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

ServeConnection = Callable[[socket.socket, str], None]
RESET_LINGER = struct.pack("ii", 1, 0)  # a linger time of zero: the client sees a reset, not an orderly close


class ListeningSocket:
    """A TCP listener.

    `serve` handles one connection and returns when it ends; it gets the client's address and port.
    """

    def __init__(self, address: str, port: int, serve: ServeConnection) -> None:
        self._address = (address, port)
        self._serve = serve
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()

    def open(self) -> None:
        """Start to listen. Raises OSError if the address is not available."""
        with self._lock:
            if self._listener is not None:
                return
            listener = socket.create_server(self._address, backlog=128)
            self._listener = listener
        threading.Thread(
            target=self._accept_loop, args=(listener,), name=f"accept {self._address}", daemon=True
        ).start()

    def close(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that is blocked in accept
            listener.close()

    def reset_connections(self) -> None:
        """Reset all open connections."""
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_LINGER)
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()

    def connection_count(self) -> int:
        with self._lock:
            return len(self._connections)

    def _accept_loop(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, (address, port) = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            arguments = (connection, f"{address}:{port}")
            threading.Thread(
                target=self._handle_connection, args=arguments, name=f"connection {self._address}", daemon=True
            ).start()

    def _handle_connection(self, connection: socket.socket, source: str) -> None:
        try:
            self._serve(connection, source)
        finally:
            with self._lock:
                self._connections.discard(connection)
            with contextlib.suppress(OSError):
                connection.close()
