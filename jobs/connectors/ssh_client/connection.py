"""Connect to a host over SSH, through its jump hosts. Each host key on the way is verified.

In: a Host. Out: a Connection, or Unreachable. Nothing is accepted that is not in known_hosts.
"""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import paramiko

from jobs.connectors.ssh_client import errors
from jobs.connectors.ssh_client.keys import load_key
from jobs.connectors.ssh_client.known_hosts import add_keys
from jobs.connectors.ssh_client.shared_hops import Hop, SharedHops
from jobs.connectors.ssh_client.unix_socket import StreamLocalTransport
from jobs.connectors.timeouts import CONNECT_TIMEOUT
from jobs.errors import Unreachable
from jobs.inventory.model import Host

BANNER_TIMEOUT, AUTH_TIMEOUT, CHANNEL_TIMEOUT, KEEPALIVE_INTERVAL = 10, 15, 15, 15  # seconds
DEAD_AFTER = 30  # seconds without an acknowledgement or answer until a connection counts as lost
LOCAL_END = ("127.0.0.1", 0)  # what a jump host is told about where the connection comes from


@dataclass(frozen=True)
class Connection:
    """A connection to a host. `hop`: the connection to its last jump host, None for none."""

    client: paramiko.SSHClient
    hop: "Hop[Connection] | None" = None

    @property
    def is_active(self) -> bool:
        transport = self.client.get_transport()
        return transport is not None and transport.is_active()

    def transport(self) -> paramiko.Transport:
        """Return the transport. Raise SSHException if the connection is closed."""
        transport = self.client.get_transport()
        if transport is None or not transport.is_active():
            raise paramiko.SSHException("the connection is closed")
        return transport

    def close(self) -> None:
        self.client.close()
        if self.hop:
            self.hop.release()


def connect(host: Host, known_hosts: Path) -> Connection:
    """Connect and log in. Raise Unreachable, which says which host on the way failed."""
    key = load_key(host)
    hop = connect_hop(host, known_hosts)
    try:
        return Connection(_log_in(host, key, known_hosts, hop), hop)
    except BaseException:
        if hop:
            hop.release()
        raise


def connect_hop(host: Host, known_hosts: Path) -> "Hop[Connection] | None":
    """Return the connection to the last jump host. All hosts behind it share it."""
    if not host.jumps:
        return None
    jump = replace(host.jumps[-1], jumps=host.jumps[:-1])
    try:
        return _hops.acquire((jump, known_hosts), lambda: connect(jump, known_hosts))
    except Unreachable as error:
        raise errors.behind_jump_error(host, jump, error) from error


def _log_in(
    host: Host, key: paramiko.PKey | None, known_hosts: Path, hop: "Hop[Connection] | None"
) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        add_keys(client.get_host_keys(), known_hosts, host)
        client.connect(
            host.address,
            port=host.ssh_port,
            username=host.ssh_user,
            pkey=key,
            allow_agent=host.ssh_agent,
            look_for_keys=False,
            sock=open_forwarded(host, hop.connection) if hop else open_socket(host),
            banner_timeout=BANNER_TIMEOUT,
            auth_timeout=AUTH_TIMEOUT,
            channel_timeout=CHANNEL_TIMEOUT,
            transport_factory=cast(Any, StreamLocalTransport),  # the stubs are of an older paramiko
        )
    except errors.LOST_ERRORS as error:
        client.close()
        raise errors.unreachable_error(host, known_hosts, error) from error
    transport = client.get_transport()
    assert transport is not None
    threading.Thread(target=_keepalive, args=(transport,), name=f"keepalive {host.name}", daemon=True).start()
    return client


def _keepalive(transport: paramiko.Transport) -> None:
    """Send keepalive requests, and close a connection without answers, even if the host's kernel still acknowledges."""
    while transport.is_active():
        timer = threading.Timer(DEAD_AFTER, transport.close)
        timer.start()
        with suppress(*errors.LOST_ERRORS):
            transport.global_request("keepalive@openssh.com", wait=True)
        timer.cancel()
        transport.join(KEEPALIVE_INTERVAL)


def open_forwarded(host: Host, hop: Connection) -> Any:
    """Return a channel through the jump host to the host's SSH port."""
    target = (host.address, host.ssh_port)
    try:
        return hop.transport().open_channel("direct-tcpip", target, LOCAL_END, timeout=CONNECT_TIMEOUT)
    except errors.LOST_ERRORS as error:
        raise errors.not_forwarded_error(host, host.jumps[-1], error) from error


def open_socket(host: Host) -> socket.socket:
    """Connect to the SSH port, with TCP_NODELAY and TCP_USER_TIMEOUT.

    Login and each command are a few small packets, and without TCP_NODELAY the last one waits 40 ms. Without
    TCP_USER_TIMEOUT, a network that drops all packets is noticed only at the command's own deadline.
    """
    connection = socket.create_connection((host.address, host.ssh_port), CONNECT_TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER * 1000)
    return connection


_hops: SharedHops[Connection] = SharedHops()
