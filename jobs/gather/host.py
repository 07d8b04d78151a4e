"""Read the facts of one host that a plan is made from. Read-only."""

import time

from jobs.connectors import fenced_shell, files, systemd
from jobs.connectors.engine import EngineFactory
from jobs.connectors.shell import Shell, script, sudo
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
    """Return the facts of one host. Raise JobError if SSH or sudo does not work."""
    _check_sudo(shell, host)
    unit = read_unit(shell)
    options = read_option_files(shell, unit)
    membership, version, api = _ask_engine(host, engine_factory)
    source = files.read_file(shell, str(engine_settings.apt_list)) or ""
    running = version or _version_by_command(shell)
    previously_running = files.read_file(shell, files.RUNNING_CONTAINERS_FILE)
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
        previously_running=None if previously_running is None else tuple(previously_running.split()),
        unfinished_run=_unfinished_run(shell),
        membership=membership if api or not running else _membership_by_command(shell),
        environment=_read_environment(shell, host, options),
    )


def _unfinished_run(shell: Shell) -> str:
    """Return the last run of an unfinished migration, "" for none. The files on the host survive a loss of Redis."""
    if files.read_file(shell, files.ROLLBACK_FILE) is None:
        return ""
    return FencingToken.parse((files.read_file(shell, fenced_shell.FENCE_FILE) or "").strip()).run or "unknown"


def _read_environment(shell: Shell, host: Host, options: OptionFiles) -> environment.HostEnvironment:
    option_values = {option.name: option.value for option in effective(options)}
    files = [option_values.get(name, "") for name in environment.TLS_FILE_OPTIONS]
    sent_at = time.time()
    output = shell.run(sudo(*script(environment.ENVIRONMENT_SCRIPT, host.ssh_user, *files), timeout=120))
    # The script reads the clock first, so that the rest of its run time does not count as network delay.
    return environment.parse_environment(output.stdout, sent_at)


def _check_sudo(shell: Shell, host: Host) -> None:
    try:
        shell.run(sudo("true"))
    except CommandFailed as error:
        hint = f"Allow passwordless sudo for {host.ssh_user} on {host.name} with a file in /etc/sudoers.d."
        raise Unreachable(
            f"{host.ssh_user} has no passwordless sudo on {host.name}",
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
    output = shell.run(sudo("docker", "info", "--format", "{{json .}}", check=False))
    try:
        return swarm.parse_membership_json(output.stdout) if output.code == 0 else SwarmMembership()
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise EngineRefused(f"docker info on {shell.host} returned an unexpected answer", host=shell.host) from error


def _version_by_command(shell: Shell) -> str:
    output = shell.run(sudo("timeout", "10", "docker", "version", "--format", "{{.Server.Version}}", check=False))
    return output.stdout.strip() if output.code == 0 else ""


def read_containers(shell: Shell) -> tuple[containers.Container, ...]:
    """Return all containers of the host except tasks of services."""
    ids = shell.run(sudo("docker", "ps", "-aq")).stdout.split()
    return containers.parse_containers(shell.run(sudo("docker", "inspect", *ids)).stdout) if ids else ()
