"""Remove the classic Swarm's containers, stop its store, and restart all other containers."""

from jobs.connectors import files
from jobs.connectors.script_files import load_script
from jobs.connectors.shell import script, sudo
from jobs.errors import CommandFailed
from jobs.execute.target import StepTarget

DOCKER_TIMEOUT = 60  # seconds to remove, stop, or start containers
STOP_SCRIPT = 'docker update --restart=no "$1" && docker stop "$1"'


def remove_classic_containers(target: StepTarget, names: tuple[str, ...]) -> str:
    """Remove the classic Swarm's agents, running or not."""
    target.shell.run(sudo("docker", "rm", "-f", *names, timeout=DOCKER_TIMEOUT))
    return f"removed {', '.join(names)}"


def stop_store(target: StepTarget, name: str) -> str:
    """Stop the store for good: without a restart policy, it stays stopped after a reboot."""
    target.shell.run(sudo(*script(STOP_SCRIPT, name), title="docker stop", timeout=2 * DOCKER_TIMEOUT))
    return f"stopped {name}; it does not restart automatically, its data is kept"


def remove_store(target: StepTarget, name: str) -> str:
    """Remove the stopped store. Without `-f`, so that a running container, which is in use, is kept."""
    target.shell.run(sudo("docker", "rm", name, timeout=DOCKER_TIMEOUT))
    return f"removed {name}; its volumes are kept"


def ensure_running(target: StepTarget, names: tuple[str, ...], ends_migration: bool) -> str:
    """Start the containers that do not run, twice at most. A container that fails does not fail the migration."""
    saved_files = (files.RUNNING_CONTAINERS_FILE, files.ROLLBACK_FILE) if ends_migration else ()
    running = _start_containers(target, names, saved_files)
    missing = [name for name in names if name not in running]
    if not missing:
        return _all_running_text(len(names))
    for name in missing:
        target.on_output(f"{name} is not running on {target.host.name}", _failure_text(target, name))
    return f"containers not running: {', '.join(missing)}; see the thread"


def _start_containers(target: StepTarget, names: tuple[str, ...], saved_files: tuple[str, ...]) -> set[str]:
    """Start containers and remove the files, with one command. Return the names of all that run."""
    start = script(load_script("names", "start_containers"), str(DOCKER_TIMEOUT), *saved_files)
    timeout = DOCKER_TIMEOUT * (1 + 2 * len(names))
    output = target.shell.run(sudo(*start, stdin=files.name_list(names), title="starting containers", timeout=timeout))
    return set(output.stdout.split())


def _all_running_text(count: int) -> str:
    if count == 0:
        return "no containers were running before"
    return "1 container is running" if count == 1 else f"all {count} containers are running"


def _failure_text(target: StepTarget, name: str) -> str:
    try:
        target.shell.run(sudo("docker", "start", name, timeout=DOCKER_TIMEOUT))
    except CommandFailed as error:
        return error.stderr
    return target.shell.run(sudo("docker", "logs", "--tail", "20", name, check=False)).stderr
