"""A host's listening socket: opened and shut as the host goes up and down; each caller gets a thread.

A shut door refuses connections, as a host does where nothing listens.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

Serve = Callable[[socket.socket, str], None]
RESET = struct.pack("ii", 1, 0)  # linger for no time: the other side sees a reset, not an orderly end


class Door:
    """`serve`: deals with one connection, and returns when it is over; it is told the caller's address and port."""

    def __init__(self, address: str, port: int, serve: Serve) -> None:
        self._where = (address, port)
        self._serve = serve
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._callers: set[socket.socket] = set()

    def open(self) -> None:
        """Raises OSError when the address cannot be had."""
        with self._lock:
            if self._listener is not None:
                return
            listener = socket.create_server(self._where, backlog=128)
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name=f"door {self._where}", daemon=True).start()

    def shut(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
            listener.close()

    def cut(self) -> None:
        """Resets every connection there is."""
        with self._lock:
            callers, self._callers = self._callers, set()
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                caller.shutdown(socket.SHUT_RDWR)
                caller.close()

    def callers(self) -> int:
        with self._lock:
            return len(self._callers)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, (address, port) = listener.accept()
            except OSError:
                return
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._callers.add(caller)
            arguments = (caller, f"{address}:{port}")
            threading.Thread(target=self._attend, args=arguments, name=f"caller {self._where}", daemon=True).start()

    def _attend(self, caller: socket.socket, source: str) -> None:
        try:
            self._serve(caller, source)
        finally:
            with self._lock:
                self._callers.discard(caller)
            with contextlib.suppress(OSError):
                caller.close()
