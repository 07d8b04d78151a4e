"""Read a host's keys from known_hosts. Only the lines about the host are parsed.

paramiko parses every line and compares it with all lines before: that takes a second of each connection with 500 hosts.
"""

import re
from contextlib import suppress
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from jobs.inventory.model import Host

HASHED = re.compile(r"\|1\|[A-Za-z0-9+/=]+\|[A-Za-z0-9+/=]+")


def add_keys(keys: paramiko.HostKeys, known_hosts: Path, host: Host) -> None:
    """Add the host's keys. Of two lines with a key of the same type, the first one counts. Raise OSError."""
    name = known_name(host)
    for line in reversed(known_hosts.read_text(errors="replace").splitlines()):
        names, *_ = re.split(r"[ \t]", line.strip(), maxsplit=1)
        if any(_is_name(name, each) for each in names.split(",")):
            _add(keys, name, line.strip())


def known_name(host: Host) -> str:
    """Return the host's name in known_hosts."""
    return host.address if host.ssh_port == 22 else f"[{host.address}]:{host.ssh_port}"


def has_host_key(known_hosts: Path, host: Host) -> bool:
    """Return whether the file has a key for the host. Raise OSError if it cannot be read."""
    keys = paramiko.HostKeys()
    add_keys(keys, known_hosts, host)
    return bool(keys)


def _is_name(name: str, entry: str) -> bool:
    """Return whether the entry is the name, or its hash."""
    if not HASHED.fullmatch(entry):
        return entry == name
    with suppress(ValueError, AssertionError):  # not a salt
        return paramiko.HostKeys.hash_host(name, entry) == entry
    return False


def _add(keys: paramiko.HostKeys, name: str, line: str) -> None:
    with suppress(paramiko.SSHException, InvalidHostKey):
        entry = HostKeyEntry.from_line(line)
        if entry and entry.key:
            keys.add(name, entry.key.get_name(), entry.key)
