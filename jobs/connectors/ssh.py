"""Run commands on a host over SSH. The only module that uses paramiko.

In: a Host and a Command. Out: Output, or an error of jobs.errors. Every call has a deadline.
"""

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import paramiko
from paramiko.pkey import UnknownKeyType

from jobs.connectors.shell import LOSSLESS_ERRORS, Command, Output
from jobs.connectors.timeouts import CONNECT_TIMEOUT
from jobs.errors import NotSent, Unreachable
from jobs.inventory.model import Host

BANNER_TIMEOUT, AUTH_TIMEOUT, CHANNEL_TIMEOUT, KEEPALIVE_INTERVAL = 10, 15, 15, 15  # seconds
DEAD_AFTER = 30  # seconds without an acknowledgement or answer until a connection counts as lost
MAX_OUTPUT = 4 * 2**20  # bytes of each stream; only the last ones are returned
MAX_LINE = 1000  # bytes of a line that is reported while its command runs


def has_host_key(known_hosts: Path, host: Host) -> bool:
    """Return whether the file has a key for the host. Raise OSError if it cannot be read."""
    keys = paramiko.HostKeys(str(known_hosts))
    name = host.address if host.ssh_port == 22 else f"[{host.address}]:{host.ssh_port}"
    return keys.lookup(name) is not None


class SshShell:
    """A Shell over SSH. Raises Unreachable if the outcome is unknown, CommandFailed for a non-zero exit status."""

    def __init__(self, host: Host, known_hosts: Path) -> None:
        self._host = host
        self._known_hosts = known_hosts
        self._client = self._connect()

    @property
    def host(self) -> str:
        return self._host.name

    def run(self, command: Command) -> Output:
        try:
            channel = _open_channel(self._client)
        except (paramiko.SSHException, OSError, EOFError) as error:
            lost = self._lost_error(command, str(error) or "no answer")
            raise NotSent(lost.summary, host=self.host) from error
        try:
            output = _run_command(channel, command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._lost_error(command, str(error) or "no answer") from error
        if output.code == -1:
            raise self._lost_error(command, "the connection was lost")
        return output.check(self.host, command)

    def reconnect(self) -> None:
        self._client.close()
        self._client = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def _lost_error(self, command: Command, reason: str) -> Unreachable:
        return Unreachable(
            f"lost the connection to {self.host} during {command.name}, outcome unknown: {reason}", host=self.host
        )

    def _connect(self) -> paramiko.SSHClient:
        host, key, client = self._host, _load_key(self._host), paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.load_host_keys(str(self._known_hosts))
            client.connect(
                host.address,
                port=host.ssh_port,
                username=host.ssh_user,
                pkey=key,
                allow_agent=False,
                look_for_keys=False,
                sock=_open_socket(host),
                banner_timeout=BANNER_TIMEOUT,
                auth_timeout=AUTH_TIMEOUT,
                channel_timeout=CHANNEL_TIMEOUT,
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            client.close()
            raise _unreachable_error(host, self._known_hosts, error) from error
        transport = client.get_transport()
        assert transport is not None
        threading.Thread(target=_keepalive, args=(transport,), name=f"keepalive {host.name}", daemon=True).start()
        return client


def _keepalive(transport: paramiko.Transport) -> None:
    """Send keepalive requests, and close a connection without answers, even if the host's kernel still acknowledges."""
    while transport.is_active():
        timer = threading.Timer(DEAD_AFTER, transport.close)
        timer.start()
        with suppress(paramiko.SSHException, OSError, EOFError):
            transport.global_request("keepalive@openssh.com", wait=True)
        timer.cancel()
        transport.join(KEEPALIVE_INTERVAL)


def _load_key(host: Host) -> paramiko.PKey:
    """Load the private key. With paramiko's own key search, an error would not show that the host refused the key."""
    assert host.ssh_key is not None
    try:
        return paramiko.PKey.from_path(host.ssh_key)
    except TypeError:
        reason = "it has a passphrase"
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, paramiko.SSHException, UnknownKeyType):
        reason = "it is not a private key of a known type"
    raise Unreachable(
        f"{host.name} cannot be reached with the SSH key {host.ssh_key}: {reason}",
        host=host.name,
        hint="Use a key from ssh-keygen without a passphrase.",
        check="SSH",
    )


def _open_socket(host: Host) -> socket.socket:
    """Connect to the SSH port, with TCP_NODELAY and TCP_USER_TIMEOUT.

    Login and each command are a few small packets, and without TCP_NODELAY the last one waits 40 ms. Without
    TCP_USER_TIMEOUT, a network that drops all packets is noticed only at the command's own deadline.
    """
    connection = socket.create_connection((host.address, host.ssh_port), CONNECT_TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER * 1000)
    return connection


def _unreachable_error(host: Host, known_hosts: Path, error: Exception) -> Unreachable:
    if isinstance(error, paramiko.BadHostKeyException):
        return Unreachable(
            f"{host.name}'s SSH host key differs from the one in {known_hosts.name}",
            host=host.name,
            hint="If the host was reinstalled, check its key on its console and replace the line. If not, ask why.",
            check="host key",
        )
    if "not found in known_hosts" in str(error):
        return Unreachable(
            f"{host.name}'s SSH host key is unknown",
            host=host.name,
            hint=f"Check the key on the host's console, then add it: `ssh-keyscan -p {host.ssh_port} {host.address} "
            f">> {known_hosts}`",
            check="host key",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return Unreachable(
            f"{host.name} refuses {host.ssh_user}'s SSH key",
            host=host.name,
            hint=f"Add the public key to {host.ssh_user}'s authorized_keys on {host.name}. If it is an RSA key that is "
            "already there, use an Ed25519 key: OpenSSH before 7.2 does not support today's RSA signatures.",
            check="SSH",
        )
    return Unreachable(
        f"{host.name} ({host.address}) is unreachable over SSH: {error or 'no answer in time'}",
        host=host.name,
        hint="Check that the host is up and that its SSH port is open to Imker.",
        check="SSH",
    )


def _open_channel(client: paramiko.SSHClient) -> paramiko.Channel:
    """Open a channel for a command. Until it is open, the host has received nothing of the command."""
    transport = client.get_transport()
    if transport is None or not transport.is_active():
        raise paramiko.SSHException("the connection is closed")
    return transport.open_session(timeout=CHANNEL_TIMEOUT)


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
