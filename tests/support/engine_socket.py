"""Serve the API of an Engine at a Unix socket, and a `docker` and a `sudo` that lead to it, as on a host."""

import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

ANSWERS = {
    "/version": {"Version": "26.1.5", "ApiVersion": "1.45"},
    "/v1.45/info": {"Swarm": {"LocalNodeState": "inactive"}, "Driver": "overlay2"},
    "/v1.45/swarm/leave": {},
}
SUDO = '#!/bin/sh\n[ "$1 $2" = "-n --" ] && shift 2 && exec "$@"\n'
DIAL_STDIO = """\
#!{python}
import os, socket, sys, threading
assert sys.argv[1:] == ["system", "dial-stdio"], sys.argv
engine = socket.socket(socket.AF_UNIX)
try:
    engine.connect("{socket}")
except OSError:
    sys.exit("Cannot connect to the Docker daemon at unix://{socket}. Is the docker daemon running?")
def send():
    while chunk := os.read(0, 65536):
        engine.sendall(chunk)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while chunk := engine.recv(65536):
    os.write(1, chunk)
"""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        data = json.dumps(ANSWERS.get(path, {"message": "page not found"})).encode()
        self.send_response(200 if path in ANSWERS else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if path == "/v1.45/swarm/leave":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _respond

    def address_string(self) -> str:
        return "a Unix socket"

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def engine_at(path: Path) -> Iterator[Path]:
    """Serve an Engine at this socket until the block ends."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield path
        server.shutdown()


def write_commands(folder: Path, socket: Path) -> Path:
    """Write `sudo` and `docker` into a folder, and return the folder."""
    folder.mkdir()
    for name, text in (("sudo", SUDO), ("docker", DIAL_STDIO.format(python=sys.executable, socket=socket))):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
