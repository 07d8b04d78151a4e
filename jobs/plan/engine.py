"""A host's Engine: what is left to do until it is the wanted one, free of the classic Swarm, its containers running.

Pure. What is done already is not in it.
"""

from fnmatch import fnmatch

from jobs import classic, daemon_options
from jobs.classic import Store
from jobs.contract import Finding
from jobs.daemon_options import FileEdit, Rewrite
from jobs.facts import HostFacts, Package, upstream
from jobs.inventory import Host
from jobs.plan.model import Plan, Refusal
from jobs.settings import EngineSection
from jobs.sources import switched
from jobs.steps import (
    PutOptionsBack,
    RestartEngine,
    RetireContainers,
    RewriteOptions,
    StartContainers,
    Step,
    StopStore,
    SwitchSource,
    UpgradeEngine,
)

CONFFILE = "/etc/default/docker"


def engine_steps(
    host: Host, now: HostFacts, package: Package, goal: EngineSection, store: Store | None
) -> Plan | Refusal:
    wanted = target(package, goal)
    if wanted is None:
        offered = ", ".join(package.candidates) or "none"
        return Refusal(f"apt on {host.name} offers no {package.name} {goal.version or ''}".rstrip() + f": {offered}")
    rewrite = daemon_options.rewrite(now.options, upstream(wanted))
    upgrade = _upgrade(now, package, wanted, rewrite)
    source = switched(now.source, goal.apt_component)
    switch = (SwitchSource(FileEdit(str(goal.apt_list), now.source, source)),) if source != now.source else ()
    options = (RewriteOptions(rewrite.edits),) if rewrite.edits else ()
    back = _back(now, rewrite, bool(upgrade))
    steps: tuple[Step, ...] = (*_retire(now, store), *switch, *options, *upgrade, *back)
    leaving = store.container.name if store and not store.users else ""
    steps += _restart(now, package, wanted, leaving, bool(options or upgrade or back))
    findings = (*rewrite.findings, *_store_finding(now, store))
    return Plan(steps, findings, rewrite.edits, target=wanted)


def target(package: Package, goal: EngineSection) -> str | None:
    """The newest candidate that fits, or the installed version when it fits and nothing newer does."""
    fitting = [version for version in package.candidates if _fits(version, goal.version)]
    if fitting:
        return fitting[0]
    return package.installed if _fits(package.installed, goal.version) else None


def _fits(version: str, pattern: str | None) -> bool:
    return pattern is None or fnmatch(version, pattern) or fnmatch(version.split(":", 1)[-1], pattern)


def _upgrade(now: HostFacts, package: Package, target: str, rewrite: Rewrite) -> tuple[UpgradeEngine, ...]:
    if package.installed == target and package.state == "ii" and now.upgrade not in ("activating", "active"):
        return ()
    cli = [f"docker-cli={version}" for version in package.cli_candidates if upstream(version) == upstream(target)]
    names = (f"{package.name}={target}", *(cli[:1] if package.name == "docker.io" else ()))
    conffile = CONFFILE if CONFFILE in now.options.files else ""
    return (UpgradeEngine(names, upstream(target), conffile, (f"{package.name}={package.installed}",)),)


def _back(now: HostFacts, rewrite: Rewrite, upgrading: bool) -> tuple[PutOptionsBack, ...]:
    """The conffile's options return after an upgrade that replaces it, or has replaced it while nobody followed."""
    text = _after(rewrite, CONFFILE, now.options.files.get(CONFFILE, ""))
    if upgrading and daemon_options.assignments(text):
        return (PutOptionsBack(CONFFILE, text),)
    saved = now.options.saved.get(CONFFILE, "")
    lost = set(daemon_options.assignments(saved)) - set(daemon_options.assignments(text))
    if not lost:
        return ()
    return (PutOptionsBack(CONFFILE, daemon_options.cleaned(saved)),)


def _after(rewrite: Rewrite, path: str, text: str) -> str:
    return next((edit.after for edit in rewrite.edits if edit.path == path), text)


def _restart(now: HostFacts, package: Package, target: str, leaving: str, changed: bool) -> tuple[Step, ...]:
    running = tuple(one.name for one in now.containers if one.running and not classic.is_agent(one))
    ran = tuple(name for name in (now.ran if now.ran is not None else running) if name != leaving)
    old_engine = upstream(now.engine) != upstream(target)
    if changed or old_engine or now.stale or not now.api:
        old = (f"{package.name}={package.installed}",) if package.installed != target else ()
        restart: tuple[Step, ...] = (RestartEngine(upstream(target), ran, old),)
    else:
        restart = ()
    return (*restart, StartContainers(ran)) if restart or now.ran is not None else ()


def _retire(now: HostFacts, store: Store | None) -> tuple[Step, ...]:
    names = tuple(one.name for one in now.containers if classic.is_agent(one))
    retire: tuple[Step, ...] = (RetireContainers(names),) if names else ()
    return (*retire, StopStore(store.container.name)) if store and not store.users and not store.stopped else retire


def _store_finding(now: HostFacts, store: Store | None) -> tuple[Finding, ...]:
    if not store or store.stopped:
        return ()
    name = store.container.name
    if not store.users:
        strangers = ", ".join(now.conditions.store_peers) if now.conditions else ""
        text = f"{name} is to be stopped, and {strangers} is connected to it" if strangers else ""
        hint = "See what that is before it loses its store."
        return (Finding("key-value store", "warn", text, hint),) if text else ()
    text = f"{name} stays: {', '.join(store.users)} may still need it; it is away while the Engine restarts"
    return (Finding("key-value store", "pass", text, "Migrate them, then this host again."),)
