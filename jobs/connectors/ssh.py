"""Run commands on a host over SSH.

In: a Host and a Command. Out: Output, or an error of jobs.errors. Every call has a deadline.
"""

import select
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import paramiko

from jobs.connectors.engine_transport import Stream
from jobs.connectors.shell import LOSSLESS_ERRORS, Command, Output
from jobs.connectors.ssh_client.connection import CHANNEL_TIMEOUT, connect
from jobs.connectors.ssh_client.engine_access import EngineAccess
from jobs.connectors.ssh_client.errors import LOST_ERRORS
from jobs.errors import NotSent, Unreachable
from jobs.inventory.model import Host

MAX_OUTPUT = 4 * 2**20  # bytes of each stream; only the last ones are returned
MAX_LINE = 1000  # bytes of a line that is reported while its command runs


class SshShell:
    """A Shell over SSH. Raises Unreachable if the outcome is unknown, CommandFailed for a non-zero exit status."""

    def __init__(self, host: Host, known_hosts: Path) -> None:
        self._host = host
        self._known_hosts = known_hosts
        self._connection = connect(host, known_hosts)
        self._engine_access = EngineAccess()

    @property
    def host(self) -> str:
        return self._host.name

    @property
    def is_active(self) -> bool:
        """Return whether the connection is open, as far as this side knows."""
        return self._connection.is_active

    def run(self, command: Command) -> Output:
        try:
            # Until the channel is open, the host has received nothing of the command.
            channel = self._connection.transport().open_session(timeout=CHANNEL_TIMEOUT)
        except LOST_ERRORS as error:
            lost = self._lost_error(command, str(error) or "no answer")
            raise NotSent(lost.summary, host=self.host) from error
        try:
            output = _run_command(channel, command)
        except LOST_ERRORS as error:
            raise self._lost_error(command, str(error) or "no answer") from error
        if output.code == -1:
            # No exit status. paramiko drops the message that OpenSSH sends instead of it after a signal.
            killed = "the host ended the command with a signal, or closed its channel"
            raise self._lost_error(command, killed if self._connection.is_active else "the connection was lost")
        return output.check(self.host, command)

    def connect_engine(self, deadline: float) -> Stream:
        """Return a stream to the host's Engine. Raise NotSent if the connection is lost, OSError for no answer."""
        try:
            return self._engine_access.connect(self._connection.transport(), deadline)
        except (paramiko.SSHException, EOFError) as error:
            if self._connection.is_active and not isinstance(error, EOFError):
                raise OSError(str(error) or "no answer") from error
            raise NotSent(f"lost the connection to {self.host}: {error}", host=self.host) from error

    def reconnect(self) -> None:
        self._engine_access = EngineAccess()
        self._connection.close()
        self._connection = connect(self._host, self._known_hosts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _lost_error(self, command: Command, reason: str) -> Unreachable:
        return Unreachable(
            f"lost the connection to {self.host} during {command.name}, outcome unknown: {reason}", host=self.host
        )


def _run_command(opened: paramiko.Channel, command: Command) -> Output:
    deadline = time.monotonic() + command.timeout
    with opened as channel:
        channel.settimeout(max(1.0, command.timeout))
        channel.exec_command(command.line.encode(errors=LOSSLESS_ERRORS))
        if command.stdin:
            channel.sendall(command.stdin.encode(errors=LOSSLESS_ERRORS))
        channel.shutdown_write()
        out, err = _read_output(channel, deadline, command.on_line)
        return Output(channel.recv_exit_status(), _decode(out), _decode(err), bytes(out))


def _read_output(
    channel: paramiko.Channel, deadline: float, on_line: Callable[[str], None] | None
) -> tuple[bytearray, bytearray]:
    """Read both streams until the command has finished. Reading only one would hang once the other is full."""
    out, err = bytearray(), bytearray()
    readable = select.poll()  # select() supports no descriptors above 1023
    readable.register(channel, select.POLLIN)
    while not _is_finished(channel):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise paramiko.SSHException("it did not finish in time")
        readable.poll(min(remaining, 0.2) * 1000)
        while channel.recv_ready():
            _append_tail(out, channel.recv(65536))
        while channel.recv_stderr_ready():
            _append_tail(err, channel.recv_stderr(65536))
            if on_line:
                on_line(_last_line(err))
    return out, err


def _last_line(tail: bytearray) -> str:
    """Return the last complete line, or its end if it is long."""
    end = tail.rfind(b"\n")
    start = tail.rfind(b"\n", 0, max(end, 0)) + 1
    return _decode(tail[max(start, end - MAX_LINE) : max(end, 0)])


def _is_finished(channel: paramiko.Channel) -> bool:
    is_drained = not channel.recv_ready() and not channel.recv_stderr_ready()
    return is_drained and channel.exit_status_ready() and bool(channel.eof_received or channel.closed)


def _append_tail(tail: bytearray, chunk: bytes) -> None:
    tail += chunk
    del tail[:-MAX_OUTPUT]


def _decode(raw: bytearray) -> str:
    return raw.decode(errors="replace")
