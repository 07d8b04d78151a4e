"""Check what the RQ workers need: inventory, keys, certificates, and a connection to each host. Changes nothing.

`python -m jobs doctor` prints the findings. `/swarm doctor` shows them in a run's message.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from imker import audit_log, redis_connection
from imker.config import ConfigError
from imker.doctor import configuration_findings, print_findings
from imker.protocol.commands import RunDoctor
from imker.protocol.events import ChecksCompleted, JobFinished, JobStarted
from imker.protocol.values import Finding
from imker.secret_files import read_secret
from jobs.connectors.engine import Engine, EngineFactory
from jobs.connectors.engine_opener import EngineOpener
from jobs.connectors.shared_shells import share_shells
from jobs.connectors.shell import Shell, sudo
from jobs.connectors.ssh import SshShell
from jobs.connectors.ssh_client.errors import keyscan_command
from jobs.connectors.ssh_client.known_hosts import has_host_key
from jobs.context import JobContext
from jobs.errors import CommandFailed, JobError
from jobs.handlers.dispatcher import dispatch
from jobs.inventory import certificates
from jobs.inventory.hosts import load_checked
from jobs.inventory.jump_hosts import list_jumps
from jobs.inventory.model import Host, Inventory

MAX_PARALLEL_HOSTS = 16  # hosts checked at the same time
OVER_SSH_HINT = "The SSH user needs the group docker, or docker-cli 18.09 or newer."
ShellOpener = Callable[[Host], AbstractContextManager[Shell]]


def run_checks(
    hosts: Inventory, known_hosts: Path, open_shell: ShellOpener, engine_factory: EngineFactory
) -> tuple[Finding, ...]:
    """Run all checks, the hosts' in parallel."""
    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        each = pool.map(
            lambda host: (
                *_check_files(host, known_hosts),
                _check_ssh(host, open_shell),
                _check_engine(host, engine_factory),
            ),
            hosts.values(),
        )
        return (
            *check_inventory(list(hosts.values())),
            *(finding for jump in list_jumps(hosts) for finding in _check_host_key(jump, known_hosts)),
            *(finding for item in each for finding in item),
            *_check_audit_key(),
        )


def check_inventory(hosts: Sequence[Host]) -> tuple[Finding, ...]:
    """Check the inventory as a whole."""
    return tuple(_find_inventory_problems(hosts)) or (
        Finding("inventory", "pass", f"{len(hosts)} host{'s' * (len(hosts) != 1)}"),
    )


@dispatch.register
def show_doctor(_: RunDoctor, context: JobContext) -> None:
    """Run all checks and emit their findings."""
    context.events.emit(JobStarted())
    findings = run_checks(
        context.inventory, context.settings.inventory.known_hosts, context.open_shell, context.engine_factory
    )
    context.events.emit(ChecksCompleted(findings))
    count = Counter(finding.level for finding in findings)
    counts_text = [f"{count['block']} fail", f"{count['warn']} warn", f"{count['pass']} pass"]
    context.events.emit(JobFinished("done", f"{len(findings)} checks of the RQ workers: {', '.join(counts_text)}"))


def run_doctor() -> int:
    """Print all findings. Return 0 unless one is blocking."""
    try:
        configuration, hosts = load_checked()
        known_hosts = configuration.inventory.known_hosts
        with share_shells(lambda host: SshShell(host, known_hosts)) as shells:
            checks = run_checks(hosts, known_hosts, shells.open, EngineOpener(Engine, shells))
        findings = (_check_redis(), *checks)
    except ConfigError as error:
        findings = configuration_findings(error)
    return print_findings(findings)


def _check_redis() -> Finding:
    """Check the connection to Redis, without which no RQ worker starts."""
    try:
        redis_connection.connect(read_secret("REDIS_URL")).close()
    except redis_connection.RedisUnavailable as error:
        return Finding("redis", "block", str(error), "Start Redis, or correct REDIS_URL. Imker cannot run without it.")
    return Finding("redis", "pass", "responds")


def _find_inventory_problems(hosts: Sequence[Host]) -> Iterator[Finding]:
    for address, number in Counter(host.address for host in hosts if host.address).items():
        if number > 1 and len({host.ssh_port for host in hosts if host.address == address}) < number:
            names = ", ".join(host.name for host in hosts if host.address == address)
            yield Finding(
                "inventory", "block", f"{names} have the same address, {address}", "Correct [hosts.NAME] address."
            )
    managers = [host.name for host in hosts if host.role == "manager"]
    if managers and len(managers) % 2 == 0:
        text = f"{len(managers)} managers ({', '.join(managers)}) survive no more failures than {len(managers) - 1}"
        yield Finding("inventory", "warn", text, "Use an odd number of managers.")


def _check_files(host: Host, known_hosts: Path) -> Iterator[Finding]:
    yield from _check_host_key(host, known_hosts)
    if host.tls and host.engine_over == "tls":
        yield from certificates.check_certificates(host.name, host.tls, datetime.now(UTC))


def _check_host_key(host: Host, known_hosts: Path) -> Iterator[Finding]:
    try:
        is_known = has_host_key(known_hosts, host)
    except OSError as error:
        is_known = False
        yield Finding("known_hosts", "block", f"{known_hosts}: {error.strerror}", "Correct [inventory] known_hosts.")
    if not is_known:
        hint = f"Check the key on the host's console, then add it: `{keyscan_command(host, known_hosts)}`"
        yield Finding(f"host key of {host.name}", "block", "is not in known_hosts", hint)


def _check_ssh(host: Host, open_shell: ShellOpener) -> Finding:
    check = f"SSH to {host.name}"
    try:
        with open_shell(host) as connection:
            connection.run(sudo("true", timeout=20))
    except CommandFailed as error:
        hint = f"Give {host.ssh_user} passwordless sudo on {host.name}."
        return Finding(check, "block", f"no sudo: {error.summary}", hint)
    except JobError as error:
        return Finding(check, "block", error.summary, error.hint)
    return Finding(check, "pass", "responds, with sudo")


def _check_engine(host: Host, engine_factory: EngineFactory) -> Finding:
    check = f"Engine of {host.name}"
    try:
        return Finding(check, "pass", str(engine_factory(host).version["Version"]))
    except JobError as error:
        place = f"It must listen on TCP {host.engine_port}." if host.engine_over == "tls" else OVER_SSH_HINT
        hint = error.hint or f"On {host.name}, run `systemctl status docker`. {place}"
        return Finding(check, "block", error.summary, hint)


def _check_audit_key() -> tuple[Finding, ...]:
    if audit_log.read_audit_key():
        return ()
    hint = "Set IMKER_AUDIT_KEY to the same long random text for the bot, the reconciler, and the RQ workers."
    return (Finding("audit log", "warn", "the RQ workers' entries are not signed", hint),)
