"""A simulated host's Engine API over TLS: the known paths, each with what it answers. All else is a 404, and noted.

A client without the fleet's certificate does not get as far as a request.
"""

import contextlib
import json
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.simulated import docker
from lab.simulated.dialect import number
from lab.simulated.machine import Machine
from lab.simulated.refusals import TIMEOUT, Refused
from lab.simulated.units import Unit

HANDSHAKE, WAIT = 10, 0.1  # seconds


@dataclass(frozen=True)
class Asked:
    """A request: what the path's pattern caught, its query, its body, and the connection it came by."""

    machine: Machine
    caught: tuple[str, ...]
    query: dict[str, str]
    body: dict[str, Any]
    source: str


Answer = Callable[[Asked], Any]


def _init(asked: Asked) -> Any:
    with asked.machine.world.history.deed(asked.machine.name, "init", "swarm init", asked.source) as deed:
        advertise = str(asked.body.get("AdvertiseAddr") or "")
        return _told(deed, lambda: asked.machine.world.swarm.init(asked.machine, advertise))


def _join(asked: Asked) -> Any:
    """With the fault, the Engine's patience ends before the join does, which goes on in the background."""
    machine, world = asked.machine, asked.machine.world
    with world.history.deed(machine.name, "join", "swarm join", asked.source) as deed:
        _told(deed, lambda: world.swarm.join(machine, asked.body))
        if machine.name in world.slow_joins:
            machine.units.start("join-in-the-background", lambda unit: _join_late(unit, asked))
            time.sleep(world.pace.join_patience)
            deed.said = TIMEOUT
            raise Refused(500, TIMEOUT)
        time.sleep(world.pace.join)
        world.swarm.joined(machine)
    return None


def _join_late(unit: Unit, asked: Asked) -> int:
    pace = asked.machine.world.pace
    if unit.pause(pace.join_patience + 10 * pace.join):
        asked.machine.world.swarm.joined(asked.machine)
    asked.machine.units.stop(unit.name)
    return 0


def _leave(asked: Asked) -> Any:
    force = asked.query.get("force", "").lower() in ("1", "true")
    with asked.machine.world.history.deed(asked.machine.name, "leave", "swarm leave", asked.source) as deed:
        return _told(deed, lambda: asked.machine.world.swarm.leave(asked.machine, force))


def _update(asked: Asked) -> Any:
    """A promotion is a deed of its own kind: none may be without an acceptance."""
    swarm, index = asked.machine.world.swarm, int(asked.query.get("version", "-1"))
    with asked.machine.world.history.deed(
        asked.machine.name, "node", f"update {asked.caught[0]}", asked.source
    ) as deed:
        node, was = _told(deed, lambda: swarm.update(asked.machine, asked.caught[0], index, asked.body))
        if was != node.role:
            deed.kind, deed.what = ("promote" if node.role == "manager" else "demote"), node.id
    return None


def _configure(asked: Asked) -> Any:
    swarm, index = asked.machine.world.swarm, int(asked.query.get("version", "-1"))
    with asked.machine.world.history.deed(asked.machine.name, "swarm", "update the swarm", asked.source) as deed:
        return _told(deed, lambda: swarm.configure(asked.machine, index, dict(asked.body.get("Labels") or {})))


def _remove(asked: Asked) -> Any:
    force = asked.query.get("force", "").lower() in ("1", "true")
    what = f"remove {asked.caught[0]}"
    with asked.machine.world.history.deed(asked.machine.name, "node", what, asked.source) as deed:
        return _told(deed, lambda: asked.machine.world.swarm.remove(asked.machine, asked.caught[0], force))


def _tasks(asked: Asked) -> Any:
    """As if there were one service, with a task on each node that takes work."""
    wanted = json.loads(asked.query["filters"])["node"]
    drained = {
        node["ID"]: node["Spec"]["Availability"] == "drain" for node in asked.machine.world.swarm.list(asked.machine)
    }
    return [{"ID": f"of-{node}", "Status": {"State": "shutdown" if drained[node] else "running"}} for node in wanted]


def _told(deed: Any, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Refused as refused:
        deed.said = refused.message
        raise


PATHS: tuple[tuple[str, str, Answer], ...] = (
    ("GET", "/_ping", lambda asked: "OK"),
    ("GET", "/version", lambda asked: docker.versions(asked.machine)),
    ("GET", "/info", lambda asked: docker.about(asked.machine)),
    ("GET", "/swarm", lambda asked: asked.machine.world.swarm.inspect(asked.machine)),
    ("GET", "/nodes", lambda asked: asked.machine.world.swarm.list(asked.machine)),
    ("GET", "/tasks", _tasks),
    ("GET", "/nodes/([^/]+)", lambda asked: asked.machine.world.swarm.show(asked.machine, asked.caught[0])),
    ("POST", "/swarm/init", _init),
    ("POST", "/swarm/join", _join),
    ("POST", "/swarm/leave", _leave),
    ("POST", "/swarm/update", _configure),
    ("POST", "/nodes/([^/]+)/update", _update),
    ("DELETE", "/nodes/([^/]+)", _remove),
)


def answered(machine: Machine, method: str, target: str, body: bytes, source: str) -> tuple[int, Any]:
    """(status, JSON value); a path without swarm mode is unknown to an Engine that has none."""
    split = urlsplit(target)
    path = re.sub(r"^/v\d+\.\d+(?=/)", "", split.path)
    query = {name: values[-1] for name, values in parse_qs(split.query).items()}
    swarm = path.startswith(("/swarm", "/nodes", "/tasks"))
    for verb, pattern, answer in PATHS:
        match = re.fullmatch(pattern, path)
        if verb != method or match is None or (swarm and number(machine.dockerd.version) < (1, 12)):
            continue
        try:
            said = json.loads(body) if body else {}
            return 200, answer(Asked(machine, match.groups(), query, said, source))
        except Refused as refused:
            return refused.status, {"message": refused.message}
    machine.world.history.not_known(machine.name, f"{method} {target}")
    return 404, {"message": "page not found"}


def context(certificate: str, key: str, authority: str) -> ssl.SSLContext:
    """Files' paths; only clients with a certificate of the authority's are let in."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    made.load_verify_locations(authority)
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def serve(machine: Machine, tls: ssl.SSLContext, caller: socket.socket, source: str) -> None:
    """One connection, until it ends."""
    _speak(machine)
    with contextlib.suppress(OSError):
        caller.settimeout(HANDSHAKE)
        # A copy: the door keeps the socket itself, to cut it.
        secured = tls.wrap_socket(caller.dup(), server_side=True)
        secured.settimeout(None)
        with secured:
            _Handler(machine, secured, source)


def _speak(machine: Machine) -> None:
    """Returns when the host is not silent any more."""
    while machine.silent.is_set():
        time.sleep(WAIT)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, machine: Machine, secured: ssl.SSLSocket, source: str) -> None:
        self._machine = machine
        self._source = source
        super().__init__(secured, source, None)  # type: ignore[arg-type]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _speak(self._machine)
        with self._machine.lock if self.command == "GET" else contextlib.nullcontext():
            if not self._machine.dockerd.version:
                self.close_connection = True  # it went down with the question on its way
                return
            status, value = answered(self._machine, self.command, self.path, body, self._source)
        _speak(self._machine)
        plain = value if isinstance(value, str) and self.path.endswith("_ping") else json.dumps(value)
        data = b"" if value is None else plain.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads them: the history has what matters."""
