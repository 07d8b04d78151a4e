"""Send requests to an Engine: one deadline and one size limit for each call, no redirects.

In: a prepared request of `requests`. Out: its complete response. A hostile host may answer anything, at any speed.
"""

import math
import socket
import ssl
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from imker.text import one_line
from jobs.connectors.timeouts import CONNECT_TIMEOUT

MAX_BODY_BYTES = 16 * 2**20
CHUNK_BYTES = 2**16
JSON_TYPE = "application/json"


class NotAnEngine(requests.RequestException):
    """The host sent an invalid response."""


class Stream(Protocol):
    """A socket, as far as HTTP needs one. `deadline`: of all reads and writes, in time.monotonic()."""

    deadline: float

    def sendall(self, data: Any, /) -> None: ...

    def makefile(self, mode: str, /) -> Any: ...

    def close(self) -> None: ...


Dial = Callable[[float], Stream]  # connects to the Engine until that time of time.monotonic()


class TlsSocket(ssl.SSLSocket):
    """A TLS socket with one deadline for all reads and writes, so that slow data cannot extend a call."""

    deadline = math.inf  # of time.monotonic()

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        self._apply_deadline()
        return super().read(len, buffer)

    def send(self, data: Any, flags: int = 0) -> int:
        self._apply_deadline()
        return super().send(data, flags)

    def _apply_deadline(self) -> None:
        if self.deadline < math.inf:
            self.settimeout(remaining_seconds(self.deadline))


class _Idle:
    """A connection that is kept for the next request, None for none. Taking it is atomic."""

    def __init__(self) -> None:
        self._connections: list[HTTPConnection] = []

    def take(self) -> HTTPConnection | None:
        try:
            return self._connections.pop()
        except IndexError:
            return None

    def replace(self, connection: HTTPConnection) -> None:
        self.close()
        self._connections.append(connection)

    def close(self) -> None:
        while connection := self.take():
            _close(connection)


class EngineAdapter(BaseAdapter):
    """Send requests to one Engine, for a `requests` session. Its connection is kept from one GET to the next.

    A connection may break while it is idle, so a GET is sent again over a new one. Every other request gets a new
    connection: whether the host received it is never in doubt for that reason.
    """

    def __init__(self, dial: Dial) -> None:
        super().__init__()
        self._dial = dial
        self._idle = _Idle()
        weakref.finalize(self, self._idle.close)

    def send(self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> requests.Response:
        """Send the request. `timeout`: seconds from connecting to the last byte of the answer."""
        deadline = time.monotonic() + timeout
        with _translate_errors(request):
            idle = self._idle.take() if request.method == "GET" else None
            if idle is not None:
                with suppress(ConnectionError, ssl.SSLError):  # closed while it was idle
                    return self._send_over(idle, request, deadline)
            return self._send_over(_connect(request, self._dial, deadline), request, deadline)

    def _send_over(
        self, connection: HTTPConnection, request: requests.PreparedRequest, deadline: float
    ) -> requests.Response:
        stream: Any = connection.sock
        stream.deadline = deadline
        headers = {name: value for name, value in request.headers.items() if name != "Accept-Encoding"}
        try:
            connection.request(request.method or "GET", request.path_url, request.body, headers)
            with connection.getresponse() as answer:
                response = _check_response(request, answer)
        except BaseException:
            _close(connection)
            raise
        if request.method == "GET" and connection.sock is not None:
            self._idle.replace(connection)
        else:
            _close(connection)
        return response

    def close(self) -> None:
        """Close the connection that is kept."""
        self._idle.close()


def _connect(request: requests.PreparedRequest, dial: Dial, deadline: float) -> HTTPConnection:
    to = urlsplit(request.url or "")
    connection = HTTPConnection(str(to.hostname), to.port)
    stream: Any = dial(deadline)
    connection.sock = stream
    return connection


def tls_dial(address: str, port: int, context: ssl.SSLContext) -> Dial:
    """Return how to connect to an Engine's TLS port."""
    context.sslsocket_class = TlsSocket

    def dial(deadline: float) -> Stream:
        plain = socket.create_connection((address, port), min(CONNECT_TIMEOUT, remaining_seconds(deadline)))
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(remaining_seconds(deadline))  # for the complete handshake
            secured: Any = context.wrap_socket(plain, server_hostname=address)
        except BaseException:
            plain.close()
            raise
        return cast(Stream, secured)

    return dial


def _close(connection: HTTPConnection) -> None:
    """Close a connection and its socket, which a response may still refer to."""
    secured = connection.sock
    connection.close()
    if secured is not None:
        secured.close()


def remaining_seconds(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("timed out")
    return remaining


def _check_response(request: requests.PreparedRequest, answer: HTTPResponse) -> requests.Response:
    if 300 <= answer.status < 400:
        where = one_line(answer.getheader("Location") or "nowhere")
        raise NotAnEngine(f"a redirect ({answer.status}) to {where}; Imker does not follow redirects")
    if not 200 <= answer.status < 300 and not 400 <= answer.status < 600:
        raise NotAnEngine(f"status {answer.status}")
    body, form = _read_body(answer), (answer.getheader("Content-Type") or "").split(";")[0].strip().lower()
    if body and answer.status < 300 and form != JSON_TYPE:
        raise NotAnEngine(f"{one_line(form) or 'no content type'} instead of {JSON_TYPE}")
    return _build_response(request, answer, body)


def _read_body(answer: HTTPResponse) -> bytes:
    coding = answer.getheader("Content-Encoding") or "identity"
    if coding.lower() != "identity":
        raise NotAnEngine(f"a body with content encoding {one_line(coding)}")
    body = bytearray()
    while more := answer.read(CHUNK_BYTES):
        body += more
        if len(body) > MAX_BODY_BYTES:
            raise NotAnEngine(f"a body of more than {MAX_BODY_BYTES // 2**20} MB")
    if answer.length:
        raise NotAnEngine("a body shorter than its Content-Length")
    return bytes(body)


def _build_response(request: requests.PreparedRequest, answer: HTTPResponse, body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code, response.reason, response.url, response.request = (
        answer.status,
        answer.reason,
        request.url or "",
        request,
    )
    response.headers = CaseInsensitiveDict(answer.getheaders())
    response.encoding = "utf-8"  # never guessed: the host would decide how long guessing takes
    response._content = body
    return response


@contextmanager
def _translate_errors(request: requests.PreparedRequest) -> Iterator[None]:
    """Translate errors into those that callers of `requests` expect."""
    try:
        yield
    except TimeoutError as error:
        raise requests.Timeout("timed out", request=request) from error
    except HTTPException as error:
        raise NotAnEngine(one_line(f"no valid HTTP ({type(error).__name__})"), request=request) from error
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise
        raise requests.ConnectionError(str(error), request=request) from error
