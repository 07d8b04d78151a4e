"""Complete how each host is reached over SSH.

`[hosts.*]` decides, then docker-machine's store, then OpenSSH's configuration, then `[inventory]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jobs.connectors.ssh_client.config_file import SshConfigFile, SshEntry
from jobs.inventory import jump_hosts
from jobs.inventory.jump_hosts import JumpError
from jobs.inventory.machine_store import is_file
from jobs.inventory.model import Host
from jobs.settings import HostSection, InventorySection

CERTIFICATE_SUFFIX = "-cert.pub"  # of a certificate that is beside its key, as OpenSSH finds it


@dataclass(frozen=True)
class SshAccess:
    """How hosts are reached. `config` None: no file of OpenSSH."""

    section: InventorySection
    config: SshConfigFile | None

    def complete(self, name: str, stored: Host | None, section: HostSection) -> Host:
        """Return the host with everything but its jump hosts."""
        entry = self._find(name, stored)
        host = _fill_stored(stored, entry) if stored else _from_entry(name, entry)
        base = replace(
            host,
            ssh_certificate=entry.certificate,
            ssh_agent=self.section.ssh_agent,
            ssh_passphrase=self.section.ssh_passphrase,
            ssh_jump=entry.jump or self.section.ssh_jump,
            engine_over=self.section.engine_over,
        )
        overrides: dict[str, Any] = section.model_dump(exclude_none=True, exclude_unset=True)
        return _with_certificate(_without_missing_key(replace(base, **overrides), stored))

    def find_problems(self, hosts: Mapping[str, Host], sections: Mapping[str, HostSection]) -> list[str]:
        """Return a line for each host that the file of OpenSSH sends somewhere where Imker cannot follow."""
        problems = [(host.name, self._find_problem(host, sections.get(host.name))) for host in hosts.values()]
        return [f"[hosts.{name}] {self.section.ssh_config}: {problem}" for name, problem in problems if problem]

    def with_jumps(self, hosts: Mapping[str, Host]) -> tuple[dict[str, Host], list[str]]:
        """Return the hosts with their jump hosts, and a line for each that has none that can be used."""
        complete, problems = {}, []
        for name, host in hosts.items():
            try:
                complete[name] = replace(host, jumps=jump_hosts.find_jumps(host, hosts, self._look_up_jump))
            except JumpError as error:
                complete[name] = host
                problems.append(f"[hosts.{name}] ssh_jump: {error}")
        return complete, problems

    def _find_problem(self, host: Host, section: HostSection | None) -> str:
        """Return the problem of a host. One that sets ssh_jump itself does not follow the file's ProxyCommand."""
        return "" if section and section.ssh_jump is not None else self._find(host.name, host).problem

    def _find(self, name: str, stored: Host | None) -> SshEntry:
        """Return what OpenSSH's file says about the name, then about the address."""
        if self.config is None:
            return SshEntry()
        entry = self.config.find(name)
        if stored is None or not stored.address or stored.address == name:
            return entry
        other = self.config.find(stored.address)
        return SshEntry(
            address=entry.address,
            user=entry.user or other.user,
            port=entry.port or other.port,
            keys=entry.keys or other.keys,
            certificate=entry.certificate or other.certificate,
            jump=entry.jump or other.jump,
            problem=entry.problem or other.problem,
        )

    def _look_up_jump(self, name: str, host: Host) -> Host:
        """Return a jump host that is no host of the inventory. What is unknown is as for the host behind it."""
        entry = self._find(name, None)
        if entry.problem:
            raise JumpError(f"{self.section.ssh_config}: about {name}: {entry.problem}")
        key = _first_key(entry)
        jump = Host(
            name,
            entry.address or name,
            ssh_user=entry.user or host.ssh_user,
            ssh_port=entry.port or 22,
            ssh_key=key or host.ssh_key,
            ssh_passphrase=host.ssh_passphrase,
            ssh_certificate=entry.certificate or (None if key else host.ssh_certificate),
            ssh_agent=host.ssh_agent,
            ssh_jump=entry.jump,
        )
        return _with_certificate(jump)


def _fill_stored(stored: Host, entry: SshEntry) -> Host:
    """Return a host of the store, with what it lacks."""
    has_key = stored.ssh_key is not None and is_file(stored.ssh_key)
    key = stored.ssh_key if has_key else _first_key(entry) or stored.ssh_key
    return replace(stored, address=stored.address or entry.address, ssh_key=key)


def _from_entry(name: str, entry: SshEntry) -> Host:
    host = Host(name, entry.address, ssh_key=_first_key(entry))
    return replace(host, ssh_user=entry.user or host.ssh_user, ssh_port=entry.port or host.ssh_port)


def _first_key(entry: SshEntry) -> Path | None:
    """Return the first key that exists, else the first one, else None."""
    return next(filter(is_file, entry.keys), next(iter(entry.keys), None))


def _without_missing_key(host: Host, stored: Host | None) -> Host:
    """Return the host without a key that only docker-machine's machine has, if the SSH agent may have it."""
    is_missing = host.ssh_key is not None and not is_file(host.ssh_key)
    is_stored = stored is not None and host.ssh_key == stored.ssh_key
    return replace(host, ssh_key=None) if host.ssh_agent and is_missing and is_stored else host


def _with_certificate(host: Host) -> Host:
    """Return the host with the certificate that is beside its key, if it names none."""
    if host.ssh_certificate or host.ssh_key is None:
        return host
    beside = host.ssh_key.with_name(host.ssh_key.name + CERTIFICATE_SUFFIX)
    return replace(host, ssh_certificate=beside) if is_file(beside) else host


def read_config(path: Path | None) -> tuple[SshConfigFile | None, list[str]]:
    """Return the file of OpenSSH, None for none, and a line if it cannot be read."""
    if path is None:
        return None, []
    try:
        return SshConfigFile(path), []
    except ValueError as error:
        return None, [f"[inventory] ssh_config: {path}: {error}"]
