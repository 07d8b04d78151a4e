"""Simulate a host's Engine API over TLS: the known paths and their responses. Any other path is a 404 and is recorded.

The TLS handshake fails for a client without the fleet's certificate.
"""

import contextlib
import json
import re
import socket
import ssl
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.simulated import docker_cli
from lab.simulated.api_request import ApiRequest, Route, record_error
from lab.simulated.engine_errors import JOIN_TIMED_OUT, EngineError
from lab.simulated.engine_versions import major_minor
from lab.simulated.machine import Machine
from lab.simulated.service_routes import SERVICE_ROUTES
from lab.simulated.units import Unit

HANDSHAKE_TIMEOUT, POLL_INTERVAL = 10, 0.1  # seconds


def _init_swarm(request: ApiRequest) -> Any:
    with request.machine.world.history.record_action(
        request.machine.name, "init", "swarm init", request.source
    ) as action:
        advertise = str(request.body.get("AdvertiseAddr") or "")
        return record_error(action, lambda: request.machine.world.swarm.init(request.machine, advertise))


def _join_swarm(request: ApiRequest) -> Any:
    """Join the swarm. With the slow-join fault, respond with a timeout while the join continues in the background."""
    machine, world = request.machine, request.machine.world
    with world.history.record_action(machine.name, "join", "swarm join", request.source) as action:
        record_error(action, lambda: world.swarm.join(machine, request.body))
        if machine.name in world.slow_joins:
            machine.units.start("join-in-the-background", lambda unit: _finish_join_late(unit, request))
            time.sleep(world.pace.join_timeout)
            action.error = JOIN_TIMED_OUT
            raise EngineError(500, JOIN_TIMED_OUT)
        time.sleep(world.pace.join)
        world.swarm.finish_join(machine)
    return None


def _finish_join_late(unit: Unit, request: ApiRequest) -> int:
    pace = request.machine.world.pace
    if unit.wait(pace.join_timeout + 10 * pace.join):
        request.machine.world.swarm.finish_join(request.machine)
    request.machine.units.stop(unit.name)
    return 0


def _leave_swarm(request: ApiRequest) -> Any:
    force = request.query.get("force", "").lower() in ("1", "true")
    with request.machine.world.history.record_action(
        request.machine.name, "leave", "swarm leave", request.source
    ) as action:
        return record_error(action, lambda: request.machine.world.swarm.leave(request.machine, force))


def _update_node(request: ApiRequest) -> Any:
    """Update a node. A promotion is recorded as its own kind of action, because each needs an approval."""
    swarm, index = request.machine.world.swarm, int(request.query.get("version", "-1"))
    with request.machine.world.history.record_action(
        request.machine.name, "node", f"update {request.path_groups[0]}", request.source
    ) as action:
        node, old_role = record_error(
            action, lambda: swarm.update_node(request.machine, request.path_groups[0], index, request.body)
        )
        if old_role != node.role:
            action.kind, action.detail = ("promote" if node.role == "manager" else "demote"), node.id
    return None


def _update_swarm(request: ApiRequest) -> Any:
    swarm, index = request.machine.world.swarm, int(request.query.get("version", "-1"))
    with request.machine.world.history.record_action(
        request.machine.name, "swarm", "update the swarm", request.source
    ) as action:
        return record_error(
            action, lambda: swarm.set_labels(request.machine, index, dict(request.body.get("Labels") or {}))
        )


def _remove_node(request: ApiRequest) -> Any:
    force = request.query.get("force", "").lower() in ("1", "true")
    detail = f"remove {request.path_groups[0]}"
    with request.machine.world.history.record_action(request.machine.name, "node", detail, request.source) as action:
        return record_error(
            action, lambda: request.machine.world.swarm.remove_node(request.machine, request.path_groups[0], force)
        )


ROUTES: tuple[Route, ...] = (
    ("GET", "/_ping", lambda request: "OK"),
    ("GET", "/version", lambda request: docker_cli.engine_versions_of(request.machine)),
    ("GET", "/info", lambda request: docker_cli.engine_info(request.machine)),
    ("GET", "/swarm", lambda request: request.machine.world.swarm.inspect(request.machine)),
    ("GET", "/nodes", lambda request: request.machine.world.swarm.list_nodes(request.machine)),
    (
        "GET",
        "/nodes/([^/]+)",
        lambda request: request.machine.world.swarm.show_node(request.machine, request.path_groups[0]),
    ),
    ("POST", "/swarm/init", _init_swarm),
    ("POST", "/swarm/join", _join_swarm),
    ("POST", "/swarm/leave", _leave_swarm),
    ("POST", "/swarm/update", _update_swarm),
    ("POST", "/nodes/([^/]+)/update", _update_node),
    ("DELETE", "/nodes/([^/]+)", _remove_node),
    *SERVICE_ROUTES,
)


def handle_request(machine: Machine, method: str, target: str, body: bytes, source: str) -> tuple[int, Any]:
    """Return (status, JSON value). An Engine without swarm mode does not know the paths of swarm mode."""
    split = urlsplit(target)
    path = re.sub(r"^/v\d+\.\d+(?=/)", "", split.path)
    query = {name: values[-1] for name, values in parse_qs(split.query).items()}
    needs_swarm_mode = path.startswith(("/swarm", "/nodes", "/tasks", "/services"))
    for verb, pattern, handler in ROUTES:
        match = re.fullmatch(pattern, path)
        if verb != method or match is None or (needs_swarm_mode and major_minor(machine.dockerd.version) < (1, 12)):
            continue
        try:
            payload = json.loads(body) if body else {}
            status = 201 if path == "/services/create" else 200
            return status, handler(ApiRequest(machine, match.groups(), query, payload, source))
        except EngineError as error:
            return error.status, {"message": error.message}
    machine.world.history.record_unknown(machine.name, f"{method} {target}")
    return 404, {"message": "page not found"}


def tls_context(certificate: str, key: str, authority: str) -> ssl.SSLContext:
    """Create a server's TLS context from files. Only clients with a certificate of the authority can connect."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    tls.load_verify_locations(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def serve_connection(machine: Machine, tls: ssl.SSLContext, connection: socket.socket, source: str) -> None:
    """Serve one connection until it closes."""
    _wait_while_silent(machine)
    with contextlib.suppress(OSError):
        connection.settimeout(HANDSHAKE_TIMEOUT)
        # A duplicate: ListeningSocket keeps the original, to reset it.
        tls_socket = tls.wrap_socket(connection.dup(), server_side=True)
        tls_socket.settimeout(None)
        with tls_socket:
            _Handler(machine, tls_socket, source)


def serve_channel(machine: Machine, channel: Any, source: str) -> None:
    """Serve a connection that came over SSH, until it closes."""
    _wait_while_silent(machine)
    with contextlib.suppress(OSError, EOFError):
        _Handler(machine, channel, source)


def _wait_while_silent(machine: Machine) -> None:
    """Block until the host responds again."""
    while machine.silent.is_set():
        time.sleep(POLL_INTERVAL)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, machine: Machine, stream: Any, source: str) -> None:
        self._machine = machine
        self._source = source
        super().__init__(stream, source, None)  # type: ignore[arg-type]

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _wait_while_silent(self._machine)
        with self._machine.lock if self.command == "GET" else contextlib.nullcontext():
            if not self._machine.dockerd.version:
                self.close_connection = True  # the Engine stopped while the request was on its way
                return
            status, value = handle_request(self._machine, self.command, self.path, body, self._source)
        _wait_while_silent(self._machine)
        text = value if isinstance(value, str) and self.path.endswith("_ping") else json.dumps(value)
        data = b"" if value is None else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _respond

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the history records what matters."""
