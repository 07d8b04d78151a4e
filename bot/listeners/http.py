"""Serve the Bolt app over HTTP. Only requests that Slack signed within the last five minutes reach Bolt.

In: a Bolt app and the signing secret. Out: an ASGI app. Requests are not logged, and none is handled twice.
A proxy in front terminates TLS.
"""

import asyncio
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from redis.exceptions import RedisError
from slack_bolt import App, BoltRequest
from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response
from slack_sdk.signature import Clock, SignatureVerifier
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bot.listeners import http_connections
from bot.listeners.forms import opens_form

log = structlog.get_logger()
PATH = "/slack/events"  # for commands, buttons, and events
MAX_BODY_BYTES = 2**20
BODY_TIMEOUT = 10.0  # seconds from the connection to the end of its request
SHUTDOWN_TIMEOUT = 5  # seconds for running requests to finish
MAX_CONCURRENT = 100  # signed requests handled at once


class _FixedClock(Clock):
    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


def is_signed_by_slack(secret: str, body: bytes, timestamp: str, signature: str, now: float) -> bool:
    """Return whether Slack signed this body within the last five minutes. `now`: UNIX seconds."""
    if not re.fullmatch(r"[0-9]{1,12}", timestamp, re.ASCII) or not signature.isascii():
        return False
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return SignatureVerifier(secret, _FixedClock(now)).is_valid(text, timestamp, signature)


def build(
    bolt: App,
    secret: str,
    claim_delivery: Callable[[str], bool],
    clock: Callable[[], float] = time.time,
    max_concurrent: int = MAX_CONCURRENT,
) -> Starlette:
    """Return the ASGI app.

    `claim_delivery`: returns whether a request with this ID is the first one; `clock`: UNIX seconds; `max_concurrent`:
    signed requests handled at once.
    """
    slots = asyncio.Semaphore(max_concurrent)

    async def events(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        timestamp, signature = (
            request.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature")
        )
        parsed = _parse(request, body) if is_signed_by_slack(secret, body, timestamp, signature, clock()) else None
        if parsed is None:
            return Response(status_code=401)
        if slots.locked():
            return Response(status_code=503)
        async with slots:
            return await run_in_threadpool(_dispatch, bolt, parsed, lambda: claim_delivery(_digest(signature)))

    return Starlette(routes=[Route(PATH, events, methods=["POST"])])


@contextmanager
def serve(app: Starlette, address: tuple[str, int], timeout: float = BODY_TIMEOUT) -> Iterator[threading.Thread]:
    """Serve in a thread, which is yielded, and stop at the end. Raise OSError if the port is in use.

    `timeout`: seconds from a connection to the end of its request.
    """
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off", ws="none",
            http=http_connections.bounded_protocol(timeout), headers=http_connections.CLOSE_HEADERS,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield thread
        finally:
            server.should_exit = True
            thread.join(2 * SHUTDOWN_TIMEOUT)


async def _body(request: Request) -> bytes | None:
    """Return the body, None if it is too long. A body whose client disconnects is empty, and so not as signed."""
    received = bytearray()
    try:
        async for part in request.stream():
            received += part
            if len(received) > MAX_BODY_BYTES:
                return None
    except ClientDisconnect:
        return b""
    return bytes(received)


def _parse(request: Request, body: bytes) -> BoltRequest | None:
    """Return the Bolt request, None if Bolt cannot parse it."""
    try:
        parsed = to_bolt_request(request, body)
    except Exception:  # the constructor parses the body and trusts its shape
        return None
    return parsed if isinstance(parsed.body, dict) else None


def _dispatch(bolt: App, request: BoltRequest, claim: Callable[[], bool]) -> Response:
    """Hand the request to Bolt. A repeated request is only acknowledged.

    What opens a form changes nothing and must not wait for Redis; Slack accepts its trigger once.
    """
    try:
        if not opens_form(request.body) and not claim():
            return Response()
    except RedisError:
        log.warning("Redis does not respond")  # the receiver then refuses the command with a message
    return to_starlette_response(bolt.dispatch(request))


def _digest(signature: str) -> str:
    return hashlib.sha256(signature.encode()).hexdigest()
