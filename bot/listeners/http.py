"""The Bolt app over HTTP, beside Socket Mode: what Slack did not sign, now, never gets as far as Bolt.

In: a Bolt app and the signing secret. Out: an ASGI app. No request's content is logged, and none is run twice.
TLS is the business of the proxy in front.
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

log = structlog.get_logger()
PATH = "/slack/events"  # for commands, buttons and events alike
MAX_BODY_BYTES, BODY_TIMEOUT = 2**20, 10.0  # bytes of a body; seconds from the connection to the end of its request
SHUTDOWN_TIMEOUT = 5  # seconds that requests under way have to end
MAX_CONCURRENT = 100  # requests that Slack signed; of others none is worked on


class _FixedClock(Clock):
    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


def is_signed_by_slack(secret: str, body: bytes, timestamp: str, signature: str, now: float) -> bool:
    """Whether Slack signed this body within the last five minutes. `now`: UNIX seconds."""
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
    at_once: int = MAX_CONCURRENT,
) -> Starlette:
    """`first_seen`: whether a delivery is the first of its kind; `clock`: UNIX seconds; `at_once`: signed requests."""
    places = asyncio.Semaphore(at_once)

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
        if places.locked():
            return Response(status_code=503)
        async with places:
            return await run_in_threadpool(_dispatch, bolt, parsed, lambda: claim_delivery(_digest(signature)))

    return Starlette(routes=[Route(PATH, events, methods=["POST"])])


@contextmanager
def serve(app: Starlette, address: tuple[str, int], slowest: float = BODY_TIMEOUT) -> Iterator[threading.Thread]:
    """Serve for as long as it lasts; the thread lives while requests are taken. Raises OSError for a used port.

    `slowest`: seconds from a connection to the end of its request.
    """
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off", ws="none",
            http=http_connections.bounded_protocol(slowest), headers=http_connections.CLOSE_HEADERS,
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
    """None for more than is read of one; an end that does not come leaves it short, and so not as it was signed."""
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
    """None for what Bolt cannot read, in whatever way it cannot."""
    try:
        parsed = to_bolt_request(request, body)
    except Exception:  # Bolt takes it apart in its constructor, and trusts its shape
        return None
    return parsed if isinstance(parsed.body, dict) else None


def _dispatch(bolt: App, request: BoltRequest, first: Callable[[], bool]) -> Response:
    """A repeat is acknowledged, and that is all."""
    try:
        if not first():
            return Response()
    except RedisError:
        log.warning("Redis is not responding")  # nothing can be started then; the person is told so in words
    return to_starlette_response(bolt.dispatch(request))


def _digest(signature: str) -> str:
    return hashlib.sha256(signature.encode()).hexdigest()
