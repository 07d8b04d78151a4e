"""Proxy to Redis that loses replies: the write arrives, but the client does not learn about it."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST = 2**16


class Cutter:
    """Listens on loopback for a Redis on a Unix socket. `cuts`: number of lost replies."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._word = b""
        self.cuts = 0
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, word: bytes) -> None:
        """Lose the reply to the next request that contains this word, ignoring case."""
        self._word = word.lower()

    def switch(self, server: Path) -> None:
        """Connect new clients to another server."""
        self._server = server

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Forward both directions. Each request fits into one read."""
        with client, socket.socket(socket.AF_UNIX) as redis, suppress(OSError):
            redis.connect(str(self._server))
            cut = False
            while True:
                for side in select.select([client, redis], [], [])[0]:
                    data = side.recv(LONGEST)
                    if not data or (cut and side is redis):
                        return
                    cut = cut or (side is client and self._matches(data))
                    (redis if side is client else client).sendall(data)

    def _matches(self, data: bytes) -> bool:
        if not self._word or self._word not in data.lower():
            return False
        self._word = b""
        self.cuts += 1
        return True


@contextmanager
def cutting(server: Path) -> Iterator[Cutter]:
    cutter = Cutter(server)
    try:
        yield cutter
    finally:
        cutter.close()
