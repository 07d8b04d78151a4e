"""What the jobs need, looked at: inventory, keys, certificates, and whether each host answers. Changes nothing.

`python -m jobs doctor` prints it; `/swarm doctor` shows it in a run's message.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from imker import audit, broker
from imker.config import ConfigError
from jobs import certificates, inventory
from jobs.contract import Began, Ended, Examined, Finding
from jobs.engine import Engine
from jobs.errors import CommandFailed, JobError
from jobs.gather import Connect
from jobs.inventory import Host, Inventory
from jobs.office import Office
from jobs.shell import Shell
from jobs.ssh import SshShell, knows

AT_ONCE = 16  # hosts looked at
OpenShell = Callable[[Host], AbstractContextManager[Shell]]


def examine(hosts: Inventory, known_hosts: Path, shell: OpenShell, connect: Connect) -> tuple[Finding, ...]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        each = pool.map(
            lambda host: (*_files(host, known_hosts), _ssh(host, shell), _engine(host, connect)), hosts.values()
        )
        return (*fleet(list(hosts.values())), *(finding for found in each for finding in found), *_key())


def fleet(hosts: Sequence[Host]) -> tuple[Finding, ...]:
    """What is wrong with the inventory as a whole."""
    return tuple(_fleet(hosts)) or (Finding("inventory", "pass", f"{len(hosts)} hosts"),)


def show(office: Office) -> None:
    office.journal.tell(Began())
    found = examine(office.inventory, office.settings.inventory.known_hosts, office.shell, office.connect)
    office.journal.tell(Examined(found))
    count = Counter(finding.level for finding in found)
    said = [f"{count['block']} fail", f"{count['warn']} warn", f"{count['pass']} pass"]
    office.journal.tell(Ended("done", f"{len(found)} checks of what the jobs need: {', '.join(said)}"))


def main() -> int:
    """0 when nothing fails, warnings or not."""
    try:
        loaded, hosts = inventory.configured()
        known = loaded.inventory.known_hosts
        found = (_redis(), *examine(hosts, known, lambda host: SshShell(host, known), Engine))
    except ConfigError as wrong:
        found = tuple(
            Finding("configuration", "block", line, "Mend it; the README shows each key.") for line in wrong.lines
        )
    for finding in found:
        print(finding.line)
    return int(any(finding.level == "block" for finding in found))


def _redis() -> Finding:
    """An RQ worker does not start without it; what else it does not start without is in the configuration."""
    try:
        broker.connect(os.environ.get("REDIS_URL")).close()
    except broker.NoRedis as away:
        return Finding("redis", "block", str(away), "Without it nothing can be asked or done.")
    return Finding("redis", "pass", "answers")


def _fleet(hosts: Sequence[Host]) -> Iterator[Finding]:
    for address, number in Counter(host.address for host in hosts if host.address).items():
        if number > 1 and len({host.ssh_port for host in hosts if host.address == address}) < number:
            names = ", ".join(host.name for host in hosts if host.address == address)
            yield Finding("inventory", "block", f"{names} have one address, {address}", "Correct [hosts.NAME] address.")
    managers = [host.name for host in hosts if host.role == "manager"]
    if managers and len(managers) % 2 == 0:
        text = f"{len(managers)} managers ({', '.join(managers)}): no more may fail than with {len(managers) - 1}"
        yield Finding("inventory", "warn", text, "Make it an odd number.")


def _files(host: Host, known_hosts: Path) -> Iterator[Finding]:
    try:
        known = knows(known_hosts, host)
    except OSError as wrong:
        known = False
        yield Finding("known_hosts", "block", f"{known_hosts}: {wrong.strerror}", "Name another in [inventory].")
    if not known:
        hint = (
            f"Check the key on its console, then add it: ssh-keyscan -p {host.ssh_port} {host.address} >> {known_hosts}"
        )
        yield Finding(f"host key of {host.name}", "block", "is not in known_hosts", hint)
    if host.tls:
        yield from certificates.look(host.name, host.tls, datetime.now(UTC))


def _ssh(host: Host, shell: OpenShell) -> Finding:
    check = f"SSH to {host.name}"
    try:
        with shell(host) as opened:
            opened.run("true", sudo=True, timeout=20)
    except CommandFailed as failed:
        hint = f"Give {host.ssh_user} passwordless sudo on {host.name}."
        return Finding(check, "block", f"no sudo: {failed.summary}", hint)
    except JobError as failed:
        return Finding(check, "block", failed.summary, failed.hint)
    return Finding(check, "pass", "answers, with sudo")


def _engine(host: Host, connect: Connect) -> Finding:
    check = f"Engine of {host.name}"
    try:
        return Finding(check, "pass", str(connect(host).version["Version"]))
    except JobError as failed:
        hint = failed.hint or f"On {host.name}: systemctl status docker; does it listen on TCP {host.engine_port}?"
        return Finding(check, "block", failed.summary, hint)


def _key() -> tuple[Finding, ...]:
    if audit.key():
        return ()
    hint = "Set IMKER_AUDIT_KEY to the same long random text for the bot, the reporter and the jobs."
    return (Finding("record", "warn", "the jobs' entries are not signed", hint),)
