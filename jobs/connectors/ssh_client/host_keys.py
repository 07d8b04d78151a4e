"""Read the SSH host key that a host presents, without logging in, and compare it with those in known_hosts files.

In: a Host. Out: its key, for a person to confirm. Only jump hosts on the way to it are logged in to.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import paramiko

from jobs.connectors.ssh_client.connection import (
    AUTH_TIMEOUT,
    BANNER_TIMEOUT,
    connect_hop,
    open_forwarded,
    open_socket,
)
from jobs.connectors.ssh_client.errors import LOST_ERRORS, unreachable_error
from jobs.connectors.ssh_client.known_hosts import add_keys, known_name
from jobs.inventory.model import Host

State = Literal["known", "changed", "new"]
RSA, RSA_SIGNATURES = "ssh-rsa", "rsa-sha2-"


@dataclass(frozen=True)
class PresentedKey:
    """A host's key. `line`: for known_hosts; `state`: whether a file has it, has another one, or has none."""

    host: str
    kind: str
    fingerprint: str
    line: str
    state: State


def read_host_key(host: Host, known_hosts: Iterable[Path], jump_keys: Path) -> PresentedKey:
    """Return the key that the host presents. Raise Unreachable.

    `known_hosts`: files to compare it with, which may be missing; `jump_keys`: a file with the keys of its jump hosts.
    """
    expected, files = paramiko.HostKeys(), [path for path in known_hosts if path.is_file()]
    try:
        for path in files:
            add_keys(expected, path, host)
        with _open_way(host, jump_keys) as way:
            key = _read_key(way, list(expected.lookup(known_name(host)) or ()))
    except LOST_ERRORS as error:
        raise unreachable_error(host, Path("known_hosts"), error) from error
    name, kind = known_name(host), key.get_name()
    state: State = "new" if not expected else "known" if expected.check(name, key) else "changed"
    return PresentedKey(host.name, kind, key.fingerprint, f"{name} {kind} {key.get_base64()}", state)


@contextmanager
def _open_way(host: Host, jump_keys: Path) -> Iterator[Any]:
    """Open a connection to the host's SSH port, through its jump hosts."""
    hop = connect_hop(host, jump_keys)
    try:
        yield open_forwarded(host, hop.connection) if hop else open_socket(host)
    finally:
        if hop:
            hop.release()


def _read_key(way: Any, known_kinds: list[str]) -> paramiko.PKey:
    """Return the key, of a known kind if the host has one."""
    with paramiko.Transport(way) as transport:
        transport.banner_timeout = BANNER_TIMEOUT
        options = transport.get_security_options()
        kinds = tuple(options.key_types)
        options.key_types = sorted(kinds, key=lambda kind: not _is_of(kind, known_kinds))
        transport.start_client(timeout=AUTH_TIMEOUT)
        return transport.get_remote_server_key()


def _is_of(kind: str, known_kinds: list[str]) -> bool:
    return kind in known_kinds or (RSA in known_kinds and kind.startswith(RSA_SIGNATURES))
