"""Check the hosts of the inventory. Each problem is one line that says what to do."""

import re
from collections.abc import Iterable
from pathlib import Path

from jobs.inventory.machine_store import SSH_KEY, TLS_FILES, is_file
from jobs.inventory.model import Host, Inventory


def check_known_hosts(path: Path) -> list[str]:
    """Return a line if there is no file of SSH host keys."""
    if path.is_file():
        return []
    hint = "check each host's key on its console, then: `ssh-keyscan ADDRESS >> "
    return [f"[inventory] known_hosts: {path} does not exist; {hint}{path}`"]


def find_shared_addresses(hosts: Inventory) -> Iterable[str]:
    """Return a line for each swarm address that another host has too: a node belongs to the host at its address."""
    for host in hosts.values():
        others = [other.name for other in hosts.values() if other != host and host.swarm_address in _addresses(other)]
        if host.swarm_address and others:
            yield f"[hosts.{host.name}] swarm_address: {host.swarm_address} is the address of {', '.join(others)}"


def find_problems(host: Host, stored: Host | None) -> list[str]:
    """Return a line for each problem of a host. `stored`: the host as docker-machine's store has it."""
    lines = (
        _check_name(host.name),
        _check_address(host, stored),
        *_check_ssh_key(host, stored),
        *_check_ssh_files(host),
        *(line for jump in host.jumps for line in _check_jump(jump)),
        *_check_tls(host, stored),
    )
    return [f"[hosts.{host.name}]{line}" for line in lines if line]


def _addresses(host: Host) -> tuple[str, str]:
    return host.address, host.swarm_address


def _check_name(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", name) and name != "all":
        return ""
    return ": invalid name; use lowercase letters, digits, dots, and hyphens, and not the word all"


def _check_address(host: Host, stored: Host | None) -> str:
    if not host.address and stored:
        return f" address: missing; docker-machine's driver {stored.driver} stores none, so set it here"
    if not host.address:
        return " address: missing, also in docker-machine's store"
    good = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", host.address, re.ASCII)
    return "" if good else f" address: {host.address!r} is neither an IPv4 address nor a host name"


def _check_ssh_key(host: Host, stored: Host | None) -> list[str]:
    if host.ssh_key is None:
        return [] if host.ssh_agent else [" ssh_key: missing, also in docker-machine's store"]
    problem = _check_secret_file(" ssh_key", host.ssh_key)
    if stored and stored.ssh_key == host.ssh_key and problem.endswith("does not exist"):
        problem += f", but docker-machine's store names it; copy the key to {_machine_folder(stored) / SSH_KEY}, "
        problem += "or set ssh_key to where it is"
    return [problem]


def _check_ssh_files(host: Host) -> list[str]:
    """Check the files that go with the key."""
    certificate, passphrase = host.ssh_certificate, host.ssh_passphrase
    lines = [f" ssh_certificate: {certificate} does not exist"] if certificate and not is_file(certificate) else []
    return [*lines, _check_secret_file(" ssh_passphrase", passphrase) if passphrase else ""]


def _check_jump(jump: Host) -> list[str]:
    if jump.ssh_key is None:
        return [] if jump.ssh_agent else [f" ssh_jump: {jump.name} has no key; set IdentityFile for it"]
    return [_check_secret_file(f" ssh_jump: {jump.name}", jump.ssh_key)]


def _check_tls(host: Host, stored: Host | None) -> list[str]:
    if host.engine_over == "ssh":
        return []
    if host.tls is None:
        return [" tls: missing; set the folder with ca.pem, cert.pem, and key.pem for the Engine API"]
    missing = [name for name in TLS_FILES if not is_file(host.tls / name)]
    if missing and stored and stored.tls == host.tls:
        certs = _machine_folder(stored).parents[1] / "certs"
        return [f" tls: neither {host.tls} nor {certs} has all of {', '.join(TLS_FILES)}; copy them, or set tls"]
    public = [f" tls: {host.tls / name} does not exist" for name in missing if name != "key.pem"]
    return [*public, _check_secret_file(" tls", host.tls / "key.pem")]


def _machine_folder(stored: Host) -> Path:
    assert stored.machine_config is not None
    return stored.machine_config.parent


def _check_secret_file(setting: str, path: Path) -> str:
    try:
        if not path.is_file():
            return f"{setting}: {path} does not exist"
        is_readable_by_others = path.stat().st_mode & 0o077
    except OSError as error:
        return f"{setting}: {path} cannot be read: {error.strerror}"
    return f"{setting}: {path} is readable by other users; run chmod 600 {path}" if is_readable_by_others else ""
