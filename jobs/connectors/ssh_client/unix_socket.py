"""Open a stream to a Unix socket of a host, or to a command there, over an SSH connection.

In: a transport. Out: a stream for HTTP, with one deadline for all its reads and writes.
"""

import io
import logging
import math
import threading
from contextlib import suppress
from typing import Any

import paramiko
from paramiko.common import cMSG_CHANNEL_OPEN
from paramiko.message import Message

from imker.text import one_line
from jobs.connectors.engine_transport import remaining_seconds
from jobs.connectors.ssh_client.errors import LOST_ERRORS

DOCKER_SOCKET = "/var/run/docker.sock"
STREAM_LOCAL = "direct-streamlocal@openssh.com"
EXIT_STATUS_WAIT = 1  # seconds; it may follow the end of the output
MAX_ERROR = 500  # bytes of what a failed command says

# Not an error: the docker command is tried next.
logging.getLogger("paramiko.transport").addFilter(lambda record: "open FAILED" not in str(record.msg))


class StreamLocalTransport(paramiko.Transport):
    """A transport that can also open channels to the Docker socket, for which paramiko has no call of its own."""

    unix_socket = DOCKER_SOCKET

    def _send_user_message(self, data: Message) -> None:
        """Complete the request for a channel to a Unix socket: its path, and two fields that are reserved."""
        head = Message()
        head.add_byte(cMSG_CHANNEL_OPEN)
        head.add_string(STREAM_LOCAL)
        if data.asbytes().startswith(head.asbytes()):
            data.add_string(self.unix_socket)
            data.add_string("")
            data.add_int(0)
        super()._send_user_message(data)  # type: ignore[misc]


class ChannelStream:
    """A channel as a stream. Its reader may outlive it, as with a socket.

    `deadline`: in time.monotonic(). `runs_command`: the channel is that of a command, which may fail.
    """

    def __init__(self, channel: paramiko.Channel, *, runs_command: bool = False) -> None:
        self.deadline = math.inf
        self._channel = channel
        self._runs_command = runs_command
        self._lock = threading.Lock()
        self._users = 1

    def sendall(self, data: Any) -> None:
        self._apply_deadline()
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise
        except LOST_ERRORS as error:
            raise ConnectionResetError(self._why() or str(error) or "the SSH connection was lost") from error

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a reader, which is all that HTTP asks for."""
        assert mode == "rb"
        with self._lock:
            self._users += 1
        return io.BufferedReader(_Reader(self))

    def receive(self, size: int) -> bytes:
        """Return the next bytes, none at the end. Raise ConnectionError if a command failed."""
        self._apply_deadline()
        chunk = self._channel.recv(size)
        if not chunk and (why := self._why()):
            raise ConnectionResetError(why)
        return chunk

    def close(self) -> None:
        with self._lock:
            self._users -= 1
            is_last = self._users <= 0
        if is_last:
            with suppress(*LOST_ERRORS):
                self._channel.close()

    def _apply_deadline(self) -> None:
        self._channel.settimeout(remaining_seconds(self.deadline) if self.deadline < math.inf else None)

    def _why(self) -> str:
        """Return what a command that failed says, "" for none."""
        if not self._runs_command or not self._channel.status_event.wait(EXIT_STATUS_WAIT):
            return ""
        if self._channel.exit_status in (0, -1):
            return ""
        text = self._channel.recv_stderr(MAX_ERROR) if self._channel.recv_stderr_ready() else b""
        return one_line(text.decode(errors="replace")) or "docker system dial-stdio failed"


class _Reader(io.RawIOBase):
    """The reading side of a stream."""

    def __init__(self, stream: ChannelStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._stream.receive(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.close()
