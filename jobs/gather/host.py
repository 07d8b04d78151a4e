"""Read all that a plan needs to know of one host."""

import time

from jobs.connectors import fenced_shell, files, systemd
from jobs.connectors.engine import EngineFactory
from jobs.connectors.shell import Shell
from jobs.daemon_options import OptionFiles, effective
from jobs.errors import CommandFailed, EngineRefused, Unreachable
from jobs.facts import containers, environment, swarm
from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmMembership
from jobs.gather import packages
from jobs.gather.options import changed_since_start, read_option_files, read_unit
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken
from jobs.settings import EngineSection


def gather_host(shell: Shell, host: Host, engine_settings: EngineSection, engine_factory: EngineFactory) -> HostFacts:
    """All that a plan needs to know of one host. Raises JobError when SSH or sudo is not there."""
    _check_sudo(shell, host)
    unit = read_unit(shell)
    options = read_option_files(shell, unit)
    place, version, api = _ask_engine(host, engine_factory)
    source = files.read_file(shell, str(engine_settings.apt_list)) or ""
    running = version or _version_by_command(shell)
    ran = files.read_file(shell, files.RUNNING_CONTAINERS_FILE)
    return HostFacts(
        name=host.name,
        engine_version=running,
        options_changed=bool(running) and changed_since_start(shell, options, unit),
        api_reachable=api,
        package=packages.gather_package(shell, source, engine_settings),
        apt_source=source,
        upgrade_state=systemd.read_unit_state(shell, systemd.UPGRADE_UNIT).active_state,
        options=options,
        containers=read_containers(shell) if running else (),
        previously_running=None if ran is None else tuple(ran.split()),
        unfinished_run=_unfinished_run(shell),
        membership=place if api or not running else _membership_by_command(shell),
        environment=_read_environment(shell, host, options),
    )


def _unfinished_run(shell: Shell) -> str:
    """By the host's own marks, which a Redis that was wiped has not lost."""
    if files.read_file(shell, files.ROLLBACK_FILE) is None:
        return ""
    return FencingToken.parse((files.read_file(shell, fenced_shell.FENCE_FILE) or "").strip()).run or "unknown"


def _read_environment(shell: Shell, host: Host, options: OptionFiles) -> environment.HostEnvironment:
    option_values = {option.name: option.value for option in effective(options)}
    files = [option_values.get(name, "") for name in environment.TLS_FILE_OPTIONS]
    began = time.time()
    output = shell.run(
        "sh", "-c", environment.ENVIRONMENT_SCRIPT, "imker", host.ssh_user, *files, sudo=True, timeout=120
    )
    # The clock is asked first: what comes after it must not count as the way there.
    return environment.parse_environment(output.stdout, began)


def _check_sudo(shell: Shell, host: Host) -> None:
    try:
        shell.run("true", sudo=True)
    except CommandFailed as error:
        hint = f"Give {host.ssh_user} passwordless sudo on {host.name}: a file in /etc/sudoers.d."
        raise Unreachable(
            f"{host.ssh_user} may not use sudo on {host.name} without a password",
            host=host.name,
            hint=hint,
            check="sudo",
        ) from error


def _ask_engine(host: Host, engine_factory: EngineFactory) -> tuple[SwarmMembership, str, bool]:
    try:
        engine = engine_factory(host)
        return swarm.parse_membership(engine.info()), str(engine.version["Version"]), True
    except (Unreachable, EngineRefused):
        return SwarmMembership(), "", False


def _membership_by_command(shell: Shell) -> SwarmMembership:
    output = shell.run("docker", "info", "--format", "{{json .}}", sudo=True, check=False)
    try:
        return swarm.parse_membership_json(output.stdout) if output.code == 0 else SwarmMembership()
    except (ValueError, TypeError, AttributeError, RecursionError) as strange:
        raise EngineRefused(f"{shell.host}'s docker info is none", host=shell.host) from strange


def _version_by_command(shell: Shell) -> str:
    output = shell.run("timeout", "10", "docker", "version", "--format", "{{.Server.Version}}", sudo=True, check=False)
    return output.stdout.strip() if output.code == 0 else ""


def read_containers(shell: Shell) -> tuple[containers.Container, ...]:
    ids = shell.run("docker", "ps", "-aq", sudo=True).stdout.split()
    return containers.parse_containers(shell.run("docker", "inspect", *ids, sudo=True).stdout) if ids else ()
