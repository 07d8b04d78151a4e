"""The Engine's restart. Only an answer of the API over TLS counts; without one, the host gets its old state back."""

from jobs import gather, remote
from jobs.daemon_options import argv, cleaned_files
from jobs.errors import JobError
from jobs.execute import containers
from jobs.execute.back import Down, Restored, downgrade, restore
from jobs.execute.site import Site
from jobs.facts import upstream
from jobs.steps import RestartEngine

UNITS = ("docker.service", "docker.socket")
WITHIN = 60  # seconds from the restart to the first answer


def restart(site: Site, step: RestartEngine) -> str:
    if step.ran or remote.read(site.shell, remote.RAN) is None:
        remote.write(site.shell, remote.RAN, "\n".join(step.ran))
    if _valid(site) and _start(site, step.wanted):
        return f"{step.wanted} answers over TLS"
    _report(site)
    raise _back(site, step)


def _valid(site: Site) -> bool:
    """Engines since 23.0 check their options without starting: what they refuse costs the running one nothing."""
    flags = argv(gather.options(site.shell))
    said = site.shell.run("timeout", "20", "dockerd", "--validate", *flags, sudo=True, check=False)
    if said.code == 0 or "unknown flag: --validate" in said.stderr or "flag provided but not defined" in said.stderr:
        return True
    site.detail(f"the Engine on {site.host.name} refuses its options", said.stderr[-2000:])
    return False


def _start(site: Site, wanted: str) -> bool:
    shell = site.shell
    shell.run("systemctl", "daemon-reload", sudo=True)
    shell.run("systemctl", "reset-failed", *UNITS, sudo=True, check=False)
    # Its exit status says little: a daemon that dies after 60 ms counts as started.
    shell.run("systemctl", "restart", "docker.service", sudo=True, check=False, timeout=180)
    return gather.wait_for(lambda: wanted in ("", _version(site)), WITHIN)


def _version(site: Site) -> str:
    """A connection made while the socket changes hands hangs: hence short ones, each anew."""
    return upstream(str(site.connect(site.host, timeout=2).version["Version"]))


def _report(site: Site) -> None:
    said = site.shell.run("journalctl", "-u", "docker.service", "-o", "cat", "-n", "30", "--no-pager", sudo=True).stdout
    site.detail(f"the Engine on {site.host.name} did not come back", said)


def _back(site: Site, step: RestartEngine) -> JobError:
    """Old files, old package, start; then, as old options may be what no Engine starts with, those cleaned."""
    site.note("no answer; putting the old state back")
    host = site.host.name
    old = ""
    if step.old_packages and downgrade(site, step.old_packages):
        old = upstream(step.old_packages[0].split("=", 1)[1])
    restore(site, site.saved)
    if _start(site, old):
        return _restored(site, step, "its old files are back, and it answers")
    restore(site, cleaned_files(site.saved))
    if _start(site, old):
        return _restored(site, step, "the old one runs, without the classic options")
    hint = f"On {host}: journalctl -u docker.service. The old files are beside the new ones, named .imker-…"
    return Down(f"the Engine on {host} does not come back, with its old files neither", host=host, hint=hint)


def _restored(site: Site, step: RestartEngine, how: str) -> Restored:
    run = containers.start(site, step.ran)
    return Restored(f"the Engine {step.wanted} did not come back on {site.host.name}; {how}; containers: {run}")
