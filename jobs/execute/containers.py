"""The host's containers: the classic Swarm's own leave, all others run again."""

from jobs import remote
from jobs.errors import CommandFailed
from jobs.execute.site import Site

STOP = 60  # seconds that removing or starting containers may take


def retire(site: Site, names: tuple[str, ...]) -> str:
    site.shell.run("docker", "rm", "-f", *names, sudo=True, timeout=STOP)
    return f"removed {', '.join(names)}"


def stop_store(site: Site, name: str) -> str:
    site.shell.run("docker", "update", "--restart=no", name, sudo=True)
    site.shell.run("docker", "stop", name, sudo=True, timeout=STOP)
    return f"stopped {name}; it will not start again by itself, its data is kept"


def remove_store(site: Site, name: str) -> str:
    """Without `-f`: one that runs is in use, and stays."""
    site.shell.run("docker", "rm", name, sudo=True, timeout=STOP)
    return f"removed {name}; its volumes stay"


def start(site: Site, names: tuple[str, ...], over: bool) -> str:
    """Tries twice; what still does not run is named, and is no failure of the migration. `over`: as of the step."""
    for _ in range(2):
        for name in _missing(site, names):
            site.shell.run("docker", "start", name, sudo=True, check=False, timeout=STOP)
    missing = _missing(site, names)
    if over:
        remote.remove(site.shell, remote.RAN, remote.BEFORE)
    if not missing:
        return f"all {len(names)} run" if names else "none ran before"
    for name in missing:
        site.detail(f"{name} does not run on {site.host.name}", _why(site, name))
    return f"does not run again: {', '.join(missing)}; see the thread"


def _missing(site: Site, names: tuple[str, ...]) -> list[str]:
    """Those that do not run; the host is asked once for all of them."""
    running = set(site.shell.run("docker", "ps", "--format", "{{.Names}}", sudo=True).stdout.split())
    return [name for name in names if name not in running]


def _why(site: Site, name: str) -> str:
    try:
        site.shell.run("docker", "start", name, sudo=True, timeout=STOP)
    except CommandFailed as failed:
        return failed.stderr
    return site.shell.run("docker", "logs", "--tail", "20", name, sudo=True, check=False).stderr
