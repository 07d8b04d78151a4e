"""Serve /metrics and /healthz over HTTP, read-only, in a thread. Needs the extra `metrics`.

`/healthz` answers 200 or 503 with the lines of `imker health`; `/healthz/bot` checks one part only.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from redis import Redis

from imker.health import PARTS, check_health

TIMEOUT = 10  # seconds that a request may take to arrive
TEXT = ("Content-Type", "text/plain; charset=utf-8")
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = TIMEOUT

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests: Prometheus sends one every few seconds."""


@contextmanager
def serve(registry: CollectorRegistry, redis: "Redis", address: tuple[str, int]) -> Iterator[int]:
    """Serve until the block ends. Yield the port. Raise OSError if the address cannot be used."""
    with make_server(*address, _application(registry, redis), _Server, _Handler) as server:
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def _application(registry: CollectorRegistry, redis: "Redis") -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start_response)  # type: ignore[no-any-return]
        parts = PARTS if path == "/healthz" else tuple(part for part in PARTS if path == f"/healthz/{part}")
        if not parts:
            start_response("404 Not Found", [TEXT])
            return [b"There are /metrics and /healthz.\n"]
        findings = check_health(redis, parts)
        failed = any(finding.level == "block" for finding in findings)
        start_response(
            "503 Service Unavailable" if failed else "200 OK", [TEXT]
        )  # a list of its own: wsgiref adds to it
        return ["".join(f"{finding.as_text}\n" for finding in findings).encode()]

    return application
