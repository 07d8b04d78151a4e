"""The Engine's restart. Only an answer of the API over TLS counts; without one, the host gets its old state back."""

from jobs import gather, remote
from jobs.daemon_options import argv
from jobs.errors import JobError
from jobs.execute import back, containers
from jobs.execute.back import Before, Down, Restored
from jobs.execute.site import Site
from jobs.facts import upstream
from jobs.steps import RestartEngine

UNITS = ("docker.service", "docker.socket")
WITHIN = 60  # seconds from the restart to the first answer


def restart(site: Site, step: RestartEngine) -> str:
    if step.ran or remote.read(site.shell, remote.RAN) is None:
        remote.write(site.shell, remote.RAN, "\n".join(step.ran))
    valid = _valid(site)
    if valid and _start(site, step.wanted):
        return f"{step.wanted} answers over TLS"
    _report(site)
    raise _back(site, step, "did not come back" if valid else "refuses its options")


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


def _back(site: Site, step: RestartEngine, why: str) -> JobError:
    """Old files, old package, start; then, as old options may be what no Engine starts with, those cleaned."""
    site.note("no answer; putting the old state back")
    old = back.before(site.shell)
    package = bool(old.packages) and back.downgrade(site, old)
    back.restore(site, old)
    what, engine = _what(old, package), old.engine if package else ""
    if _start(site, engine):
        return _restored(site, step, why, what, engine, "its old options")
    if back.clean(site, old) and _start(site, engine):
        return _restored(site, step, why, what, engine, "its old options but the classic Swarm's")
    host = site.host.name
    copies = " The old files are beside the new ones, named .imker-…" if old.copies else ""
    return Down(
        f"the Engine on {host} {why}, and as it was it does not start either",
        host=host,
        state=f"Its Engine is down{what and '; '}{what}.",
        hint=f"On {host}: journalctl -u docker.service.{copies}",
    )


def _what(old: Before, package: bool) -> str:
    back = [*(["files"] if old.copies else []), *(["package"] if package else [])]
    return f"its old {' and '.join(back)} {'is' if back == ['package'] else 'are'} back" if back else ""


def _restored(site: Site, step: RestartEngine, why: str, what: str, engine: str, options: str) -> Restored:
    run = containers.start(site, step.ran, over=True)
    host = site.host.name
    again = f"{what or 'it was started again'}, and it answers"
    return Restored(
        f"the Engine {step.wanted} {why} on {host}; {again}; containers: {run}",
        host=host,
        state=f"{f'Engine {engine}' if engine else 'Its Engine'} runs there, with {options}.",
        hint=f"The Engine's last words are in the thread; /swarm plan {host} shows what is left to do.",
    )
