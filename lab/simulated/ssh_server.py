"""Simulate a host's SSH server: its own host key, one user with one key, commands without a terminal."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
from paramiko import common

from lab.simulated.commands import run_line
from lab.simulated.docker_cli import DAEMON_UNREACHABLE
from lab.simulated.engine_versions import major_minor
from lab.simulated.machine import Machine

LOGIN_USER, LOG_CHANNEL = "geschke", "lab.simulated.ssh_server"
BYTE_ERRORS = "surrogateescape"  # keeps bytes that are not UTF-8 unchanged on the way to the disk and back
CHUNK_SIZE = 2**16  # bytes
POLL_INTERVAL = 0.1  # seconds between checks of a silent host
STREAM_LOCAL = "direct-streamlocal@openssh.com"  # a channel to a Unix socket; paramiko does not say to which one
DIAL_STDIO = "sudo -n -- docker system dial-stdio"
DIALING_DOCKER = (18, 9)  # the first docker command that has it
LOST_ERRORS = (OSError, EOFError, paramiko.SSHException)  # what paramiko raises if the client has gone
ServeEngine = Callable[[Machine, paramiko.Channel, str], None]


class SilenceableSocket:
    """A connection that stops transferring data while its host is silent. The client gets no error."""

    def __init__(self, connection: socket.socket, silent: threading.Event) -> None:
        self._socket = connection
        self._silent = silent

    def recv(self, size: int) -> bytes:
        self._raise_if_silent()
        return self._socket.recv(size)

    def send(self, data: bytes) -> int:
        self._raise_if_silent()
        return self._socket.send(data)

    def _raise_if_silent(self) -> None:
        if self._silent.is_set():
            time.sleep(POLL_INTERVAL)
            raise TimeoutError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Server(paramiko.ServerInterface):
    def __init__(
        self,
        machine: Machine,
        key: paramiko.PKey,
        source: str,
        serve_engine: ServeEngine,
        transport: paramiko.Transport,
    ) -> None:
        self._machine = machine
        self._key = key
        self._source = source
        self._serve_engine = serve_engine
        self._transport = transport

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        is_authorized = username == LOGIN_USER and key == self._key
        return common.AUTH_SUCCESSFUL if is_authorized else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == STREAM_LOCAL:
            if "docker" not in self._machine.groups or not self._machine.dockerd.version:
                return common.OPEN_FAILED_CONNECT_FAILED
            self._start(self._serve_socket, chanid)
            return common.OPEN_SUCCEEDED
        return common.OPEN_SUCCEEDED if kind == "session" else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        line = command.decode(errors=BYTE_ERRORS)
        self._start(self._dial if line == DIAL_STDIO else partial(self._run, line=line), channel)
        return True

    def _start(self, serve: Callable[[Any], None], channel: paramiko.Channel | int) -> None:
        threading.Thread(target=serve, args=(channel,), name=f"ssh {self._machine.name}", daemon=True).start()

    def _serve_socket(self, number: int) -> None:
        """Serve a channel to the Docker socket. It exists a moment after its request was granted."""
        channels: Any = vars(self._transport)["_channels"]
        while (channel := channels.get(number)) is None and self._transport.is_active():
            time.sleep(0.001)
        if channel is not None:
            self._serve_engine(self._machine, channel, self._source)
            with contextlib.suppress(*LOST_ERRORS):
                channel.close()

    def _dial(self, channel: paramiko.Channel) -> None:
        """Run `docker system dial-stdio`."""
        if error := self._dial_error():
            channel.recv(1)  # the client knows then that its command was started
            channel.sendall_stderr(error.encode())
        else:
            self._serve_engine(self._machine, channel, self._source)
        with contextlib.suppress(*LOST_ERRORS):
            channel.send_exit_status(1 if error else 0)
            channel.close()

    def _dial_error(self) -> str:
        installed = self._machine.dockerd.installed_version()
        if major_minor(installed) < DIALING_DOCKER:
            return "docker: 'system dial-stdio' is not a docker command.\n"
        return "" if self._machine.dockerd.version else DAEMON_UNREACHABLE

    def _run(self, channel: paramiko.Channel, *, line: str) -> None:
        """Run the command after the end of its input. It continues after a disconnect, but its output is lost."""
        stdin = channel.makefile("rb").read().decode(errors=BYTE_ERRORS)
        output = run_line(self._machine, line, stdin, self._source)
        with contextlib.suppress(*LOST_ERRORS):
            for text in output.lines:
                _send_chunks(channel.sendall_stderr, text.encode(errors=BYTE_ERRORS))
            output = output.end() if output.end else output
            _send_chunks(channel.sendall, output.stdout.encode(errors=BYTE_ERRORS))
            _send_chunks(channel.sendall_stderr, output.stderr.encode(errors=BYTE_ERRORS))
            channel.send_exit_status(output.exit_status)
            channel.shutdown_write()
            channel.close()


def _send_chunks(sendall: Callable[[bytes], None], data: bytes) -> None:
    """Send data in chunks: paramiko copies the remaining data for every packet."""
    for start in range(0, len(data), CHUNK_SIZE):
        sendall(data[start : start + CHUNK_SIZE])


def serve_connection(
    machine: Machine,
    host_key: Path,
    user_key: Path,
    serve_engine: ServeEngine,
    connection: socket.socket,
    source: str,
) -> None:
    """Serve one connection until it closes."""
    transport = paramiko.Transport(SilenceableSocket(connection, machine.silent))  # type: ignore[arg-type]
    logging.getLogger(LOG_CHANNEL).setLevel(logging.CRITICAL)  # do not log resets: they are injected faults
    transport.set_log_channel(LOG_CHANNEL)
    transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(host_key)))
    key = paramiko.Ed25519Key.from_private_key_file(str(user_key))
    negotiated = threading.Event()
    try:
        transport.start_server(negotiated, _Server(machine, key, source, serve_engine, transport))
        transport.join()
    except LOST_ERRORS:
        return
    finally:
        transport.close()
