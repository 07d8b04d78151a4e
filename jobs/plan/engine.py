"""A host's Engine: what is left to do until it is the wanted one, free of the classic Swarm, its containers running.

Pure. What is done already is not in it.
"""

from dataclasses import replace
from fnmatch import fnmatch

from jobs import classic, daemon_options
from jobs.classic import Store
from jobs.contract import Finding
from jobs.daemon_options import FileEdit, OptionFiles, Rewrite
from jobs.facts import HostFacts, Package, upstream
from jobs.inventory import Host
from jobs.plan.model import Plan, Refusal
from jobs.preflight import engine
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
        summary = f"apt on {host.name} offers no {package.name} {goal.version or ''}".rstrip() + f": {offered}"
        return Refusal(summary, check="candidate version")
    rewrite = daemon_options.rewrite(now.options, upstream(wanted), stale=now.stale)
    upgrade = _upgrade(now, package, wanted, rewrite)
    source = switched(now.source, goal.apt_component)
    switch = (SwitchSource(FileEdit(str(goal.apt_list), now.source, source)),) if source != now.source else ()
    options = (RewriteOptions(rewrite.edits),) if rewrite.edits else ()
    back = _back(now, rewrite, bool(upgrade))
    steps: tuple[Step, ...] = (*_retire(now, store), *switch, *options, *upgrade, *back)
    leaving = store.container.name if store and not store.users else ""
    steps += _restart(now, wanted, leaving, bool(options or upgrade or back), bool(switch))
    findings = (
        engine.version(package, wanted),
        *engine.options(now.options, rewrite.findings),
        *engine.api(host, now, _rewritten(now.options, rewrite, back)),
        _store_finding(now, store),
    )
    return Plan(steps, findings, rewrite.edits, target=wanted)


def target(package: Package, goal: EngineSection) -> str | None:
    """The newest that fits, of what is installed and what apt offers; one older than what is installed comes last."""
    installed = () if package.present else (package.installed,)
    newer = tuple(version for version in package.candidates if version not in package.older)
    ordered = (*newer, *installed, *package.older)
    return next((version for version in ordered if _fits(version, goal.version)), None)


def _fits(version: str, pattern: str | None) -> bool:
    return pattern is None or fnmatch(version, pattern) or fnmatch(version.split(":", 1)[-1], pattern)


def _upgrade(now: HostFacts, package: Package, target: str, rewrite: Rewrite) -> tuple[UpgradeEngine, ...]:
    whole = package.installed == target and package.state == "ii" and not package.present
    if whole and now.upgrade not in ("activating", "active"):
        return ()
    cli = [f"{package.cli}={version}" for version in package.cli_candidates if upstream(version) == upstream(target)]
    conffile = CONFFILE if CONFFILE in now.options.files else ""
    return (UpgradeEngine((f"{package.name}={target}", *cli[:1]), upstream(target), conffile, (package.old,)),)


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


def _rewritten(options: OptionFiles, rewrite: Rewrite, back: tuple[PutOptionsBack, ...]) -> OptionFiles:
    """The options as they are after all steps."""
    edited = {edit.path: edit.after for edit in rewrite.edits} | {step.path: step.wanted for step in back}
    return replace(options, files={**options.files, **edited})


def _after(rewrite: Rewrite, path: str, text: str) -> str:
    return next((edit.after for edit in rewrite.edits if edit.path == path), text)


def _restart(now: HostFacts, target: str, leaving: str, changed: bool, switched: bool) -> tuple[Step, ...]:
    """Whatever noted what to go back to ends with the step that forgets it."""
    running = tuple(one.name for one in now.containers if one.running and not classic.is_agent(one))
    ran = tuple(name for name in (now.ran if now.ran is not None else running) if name != leaving)
    old_engine = upstream(now.engine) != upstream(target)
    if changed or old_engine or now.stale or not now.api:
        return (RestartEngine(upstream(target), ran), StartContainers(ran, over=True))
    begun = switched or now.begun or now.ran is not None
    return (StartContainers(ran, over=True),) if begun else ()


def _retire(now: HostFacts, store: Store | None) -> tuple[Step, ...]:
    names = tuple(one.name for one in now.containers if classic.is_agent(one))
    retire: tuple[Step, ...] = (RetireContainers(names),) if names else ()
    return (*retire, StopStore(store.container.name)) if store and not store.users and not store.stopped else retire


def _store_finding(now: HostFacts, store: Store | None) -> Finding:
    if not store or store.stopped:
        return Finding("key-value store", "pass", "none in use here")
    name = store.container.name
    if store.users:
        text = f"{name} stays: {', '.join(store.users)} may still need it; it is away while the Engine restarts"
        return Finding("key-value store", "pass", text, "Migrate them, then this host again.")
    strangers = ", ".join(now.conditions.store_peers) if now.conditions else ""
    if not strangers:
        return Finding("key-value store", "pass", f"{name}: nobody needs it any more")
    text = f"{name} is to be stopped, and {strangers} is connected to it"
    return Finding("key-value store", "warn", text, "See what that is before it loses its store.")
