"""Run small TLS servers on loopback in place of Engines: an honest one, and those of compromised hosts."""

import contextlib
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from jobs.inventory.model import Host
from lab.fleet.certificates import create_authority, issue_certificate
from lab.simulated.engine_api import tls_context

Serve = Callable[[ssl.SSLSocket, str], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PAUSE = 0.1  # seconds between two bytes of a drip
ENDLESS = 600  # bytes of a drip: far more than any test waits for


class Fleet:
    """Hosts with certificates of one CA. `engine` starts a server for one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []  # "NAME METHOD PATH" of each request that a server has read
        self.bodies: list[bytes] = []  # of those requests that had one
        self._servers: list[socket.socket] = []
        for name, text in _certificates().items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)

    def engine(self, name: str, serve: Serve, *, secured: bool = True) -> Host:
        """Start a server. `secured`: do the TLS handshake before `serve`."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._servers.append(listener)
        threading.Thread(target=self._accept, args=(name, listener, serve, secured), daemon=True).start()
        return Host(name, "127.0.0.1", engine_port=listener.getsockname()[1], tls=self.folder)

    def close(self) -> None:
        for listener in self._servers:
            listener.close()

    def _accept(self, name: str, listener: socket.socket, serve: Serve, secured: bool) -> None:
        names = (self.folder / file for file in ("server-cert.pem", "server-key.pem", "ca.pem"))
        tls = tls_context(*map(str, names))
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                arguments = (name, tls, client, serve, secured)
                threading.Thread(target=self._serve_client, args=arguments, daemon=True).start()

    def _serve_client(self, name: str, tls: ssl.SSLContext, client: Any, serve: Serve, secured: bool) -> None:
        with contextlib.suppress(OSError, ValueError), client:
            if not secured:
                serve(client, "")
                return
            with tls.wrap_socket(client, server_side=True) as connection:
                while target := self._request(name, connection):
                    serve(connection, target)

    def _request(self, name: str, connection: ssl.SSLSocket) -> str:
        """Return method and path of the next request, "" at the end."""
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65536)
            if not chunk:
                return ""
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        if body:
            self.bodies.append(body)
        method, path, _ = received.split(b"\r\n", 1)[0].decode().split(" ")
        self.requests.append(f"{name} {method} {path}")
        return f"{method} {path}"


@cache
def _certificates() -> dict[str, str]:
    ca = create_authority("test")
    client, server = issue_certificate(ca, "client"), issue_certificate(ca, "server", "127.0.0.1")
    client_files = {"ca.pem": ca.pem, "cert.pem": client.pem, "key.pem": client.key_pem}
    return {**client_files, "server-cert.pem": server.pem, "server-key.pem": server.key_pem}


@contextmanager
def fleet_in(folder: Path) -> Iterator[Fleet]:
    fleet = Fleet(folder)
    try:
        yield fleet
    finally:
        fleet.close()


# --- what a server answers -----------------------------------------------------------------------------------------


def answer(connection: ssl.SSLSocket, body: bytes, head: bytes = OK) -> None:
    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def says(body: bytes, head: bytes = OK) -> Serve:
    return lambda connection, _: answer(connection, body, head)


def drips(first: bytes, again: bytes) -> Serve:
    """Send `first` at once, then `again` repeatedly and slowly."""

    def serve(connection: ssl.SSLSocket, _: str) -> None:
        connection.sendall(first)
        for _ in range(ENDLESS):
            time.sleep(PAUSE)
            connection.sendall(again)

    return serve


def floods(first: bytes, again: bytes) -> Serve:
    def serve(connection: ssl.SSLSocket, _: str) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(again)

    return serve


def ends_early(first: bytes) -> Serve:
    def serve(connection: ssl.SSLSocket, _: str) -> None:
        connection.sendall(first)
        raise OSError("the server closes the connection")

    return serve


def redirects(status: int, to: str) -> Serve:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\n".encode()
    return says(b"", head)


def honest(
    name: str, members: tuple[str, ...] = (), manager: bool = False, but: dict[str, Serve] | None = None
) -> Serve:
    """Serve an Engine 26.1 in a swarm of `members`. `but`: other handlers by path."""
    place = {"LocalNodeState": "active" if name in members else "inactive", "NodeID": f"id{name}" if members else "",
             "ControlAvailable": manager, "Cluster": {"ID": "ours"} if manager else {}}  # fmt: skip
    answers: dict[str, Any] = {
        "/version": {"Version": "26.1.5", "ApiVersion": "1.45"},
        "/info": {"Swarm": place},
        "/nodes": [_node(member, number, manager and member == name) for number, member in enumerate(members)],
        "/swarm": {"Version": {"Index": 7}, "Spec": {"Name": "default"}, "JoinTokens": {"Worker": "SWMTKN-1-a-b"}},
    }

    def serve(connection: ssl.SSLSocket, target: str) -> None:
        path = target.split(" ")[1]
        plain = path.removeprefix("/v1.45").removeprefix("/v1.24").partition("?")[0]
        instead = (but or {}).get(plain)
        return instead(connection, target) if instead else answer(connection, json.dumps(answers[plain]).encode())

    return serve


def _node(name: str, number: int, leads: bool) -> dict[str, Any]:
    manager = {"ManagerStatus": {"Leader": leads, "Reachability": "reachable"}} if number == 0 else {}
    return {
        "ID": f"id{name}",
        "Spec": {"Role": "manager" if manager else "worker", "Availability": "active"},
        "Description": {"Hostname": name, "Engine": {"EngineVersion": "26.1.5"}},
        "Status": {"State": "ready", "Addr": "127.0.0.1"},
        **manager,
    }
