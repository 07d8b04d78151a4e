"""The host's containers: the classic Swarm's own leave, all others run again."""

from jobs.connectors import files
from jobs.errors import CommandFailed
from jobs.execute.target import StepTarget

DOCKER_TIMEOUT = 60  # seconds that removing or starting containers may take


def remove_classic_containers(target: StepTarget, names: tuple[str, ...]) -> str:
    target.shell.run("docker", "rm", "-f", *names, sudo=True, timeout=DOCKER_TIMEOUT)
    return f"removed {', '.join(names)}"


def stop_store(target: StepTarget, name: str) -> str:
    target.shell.run("docker", "update", "--restart=no", name, sudo=True)
    target.shell.run("docker", "stop", name, sudo=True, timeout=DOCKER_TIMEOUT)
    return f"stopped {name}; it will not start again by itself, its data is kept"


def remove_store(target: StepTarget, name: str) -> str:
    """Without `-f`: one that runs is in use, and stays."""
    target.shell.run("docker", "rm", name, sudo=True, timeout=DOCKER_TIMEOUT)
    return f"removed {name}; its volumes stay"


def ensure_running(target: StepTarget, names: tuple[str, ...], ends_migration: bool) -> str:
    """Tries twice; what still does not run is named, and is no failure of the migration. `over`: as of the step."""
    for _ in range(2):
        for name in _find_not_running(target, names):
            target.shell.run("docker", "start", name, sudo=True, check=False, timeout=DOCKER_TIMEOUT)
    missing = _find_not_running(target, names)
    if ends_migration:
        files.remove_files(target.shell, files.RUNNING_CONTAINERS_FILE, files.ROLLBACK_FILE)
    if not missing:
        return f"all {len(names)} run" if names else "none ran before"
    for name in missing:
        target.on_output(f"{name} does not run on {target.host.name}", _failure_text(target, name))
    return f"does not run again: {', '.join(missing)}; see the thread"


def _find_not_running(target: StepTarget, names: tuple[str, ...]) -> list[str]:
    """Those that do not run; the host is asked once for all of them."""
    running = set(target.shell.run("docker", "ps", "--format", "{{.Names}}", sudo=True).stdout.split())
    return [name for name in names if name not in running]


def _failure_text(target: StepTarget, name: str) -> str:
    try:
        target.shell.run("docker", "start", name, sudo=True, timeout=DOCKER_TIMEOUT)
    except CommandFailed as error:
        return error.stderr
    return target.shell.run("docker", "logs", "--tail", "20", name, sudo=True, check=False).stderr
