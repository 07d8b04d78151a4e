"""Plan the steps on a host's Engine: the target version, no classic Swarm, containers running. Pure.

A plan contains only the remaining steps, as it is made from the current state.
"""

from dataclasses import replace
from fnmatch import fnmatch

from imker.protocol.values import Finding
from jobs import daemon_options
from jobs.checks import engine
from jobs.daemon_options import FileEdit, OptionFiles, Rewrite, environment_file
from jobs.facts import classic_swarm
from jobs.facts.apt_source import switch_component
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.host import HostFacts
from jobs.facts.packages import Package, parse_engine_version
from jobs.inventory.model import Host
from jobs.plan.model import Plan, Refusal
from jobs.settings import EngineSection
from jobs.steps import (
    EnsureContainersRunning,
    RemoveClassicContainers,
    RestartEngine,
    RestoreOptions,
    RewriteOptions,
    Step,
    StopStore,
    SwitchAptSource,
    UpgradeEngine,
)

CONFFILE = "/etc/default/docker"


def plan_engine(
    host: Host, facts: HostFacts, package: Package, engine_settings: EngineSection, store: KeyValueStore | None
) -> Plan | Refusal:
    """Return the plan for the Engine, or a Refusal if apt offers no matching version."""
    target_engine = choose_version(package, engine_settings)
    if target_engine is None:
        offered = ", ".join(package.candidates) or "none"
        summary = (
            f"apt on {host.name} offers no {package.name} {engine_settings.version or ''}".rstrip() + f": {offered}"
        )
        return Refusal(summary, check="candidate version")
    rewrite = daemon_options.rewrite(
        facts.options, parse_engine_version(target_engine), options_changed=facts.options_changed
    )
    upgrade = _upgrade_step(facts, package, target_engine, rewrite)
    source = switch_component(facts.apt_source, engine_settings.apt_component)
    switch = (
        (SwitchAptSource(FileEdit(str(engine_settings.apt_list), facts.apt_source, source)),)
        if source != facts.apt_source
        else ()
    )
    options = (RewriteOptions(rewrite.edits),) if rewrite.edits else ()
    restore_steps = _restore_step(facts, rewrite, bool(upgrade))
    steps: tuple[Step, ...] = (*_remove_classic_steps(facts, store), *switch, *options, *upgrade, *restore_steps)
    leaving = store.container.name if store and not store.users else ""
    steps += _restart_steps(facts, target_engine, leaving, bool(options or upgrade or restore_steps), bool(switch))
    options_after = _options_after(facts.options, rewrite, restore_steps)
    findings = (
        engine.check_version(package, target_engine),
        *engine.check_options(facts.options, (*rewrite.findings, *engine.check_unit(package, options_after))),
        *(engine.check_restart(facts, package) if upgrade else ()),
        *engine.check_api(host, facts, options_after),
        _store_finding(facts, store),
        *_unfinished_run_finding(facts),
    )
    return Plan(steps, findings, rewrite.edits, target_version=target_engine)


def _unfinished_run_finding(facts: HostFacts) -> tuple[Finding, ...]:
    """Report an unfinished migration. It passes, and is shown even if Redis no longer knows that run."""
    if not facts.unfinished_run:
        return ()
    text = f"an earlier migration did not finish; run {facts.unfinished_run} was the last to change this host"
    return (Finding("run before", "pass", text, "This run continues from there."),)


def choose_version(package: Package, engine_settings: EngineSection) -> str | None:
    """Return the newest matching version, installed or offered by apt. Downgrades are considered last."""
    installed = () if package.replaces else (package.installed,)
    newer = tuple(version for version in package.candidates if version not in package.downgrades)
    ordered = (*newer, *installed, *package.downgrades)
    return next((version for version in ordered if _matches_pattern(version, engine_settings.version)), None)


def _matches_pattern(version: str, pattern: str | None) -> bool:
    return pattern is None or fnmatch(version, pattern) or fnmatch(version.split(":", 1)[-1], pattern)


def _upgrade_step(
    facts: HostFacts, package: Package, target_version: str, rewrite: Rewrite
) -> tuple[UpgradeEngine, ...]:
    is_complete = package.installed == target_version and package.state == "ii" and not package.replaces
    if is_complete and facts.upgrade_state not in ("activating", "active"):
        return ()
    cli = [
        f"{package.cli_package}={version}"
        for version in package.cli_candidates
        if parse_engine_version(version) == parse_engine_version(target_version)
    ]
    conffile = CONFFILE if CONFFILE in facts.options.files else ""
    return (
        UpgradeEngine(
            (f"{package.name}={target_version}", *cli[:1]),
            parse_engine_version(target_version),
            conffile,
            package.installed_specs,
        ),
    )


def _restore_step(facts: HostFacts, rewrite: Rewrite, upgrading: bool) -> tuple[RestoreOptions, ...]:
    """Restore the conffile's options after an upgrade that replaces it, or that replaced it in an interrupted run."""
    text = _text_after(rewrite, CONFFILE, facts.options.files.get(CONFFILE, ""))
    if upgrading and environment_file.variables(text):
        return (RestoreOptions(CONFFILE, text),)
    saved = facts.options.saved.get(CONFFILE, "")
    lost_names = set(environment_file.variables(saved)) - set(environment_file.variables(text))
    if not lost_names:
        return ()
    return (RestoreOptions(CONFFILE, daemon_options.clean_variables(saved)),)


def _options_after(options: OptionFiles, rewrite: Rewrite, restore_step: tuple[RestoreOptions, ...]) -> OptionFiles:
    """Return the options after all steps."""
    edited = {edit.path: edit.after for edit in rewrite.edits} | {step.path: step.options_text for step in restore_step}
    return replace(options, files={**options.files, **edited})


def _text_after(rewrite: Rewrite, path: str, text: str) -> str:
    return next((edit.after for edit in rewrite.edits if edit.path == path), text)


def _restart_steps(
    facts: HostFacts, target_version: str, stopped_store: str, changed: bool, source_switched: bool
) -> tuple[Step, ...]:
    """Return the restart and its verification. A migration that saved a rollback point ends by deleting it."""
    running = tuple(
        container.name for container in facts.containers if container.running and not classic_swarm.is_agent(container)
    )
    containers = tuple(
        name
        for name in (facts.previously_running if facts.previously_running is not None else running)
        if name != stopped_store
    )
    old_engine = parse_engine_version(facts.engine_version) != parse_engine_version(target_version)
    if changed or old_engine or facts.options_changed or not facts.api_reachable:
        return (
            RestartEngine(parse_engine_version(target_version), containers),
            EnsureContainersRunning(containers, ends_migration=True),
        )
    has_started = source_switched or bool(facts.unfinished_run) or facts.previously_running is not None
    return (EnsureContainersRunning(containers, ends_migration=True),) if has_started else ()


def _remove_classic_steps(facts: HostFacts, store: KeyValueStore | None) -> tuple[Step, ...]:
    names = tuple(container.name for container in facts.containers if classic_swarm.is_agent(container))
    retire: tuple[Step, ...] = (RemoveClassicContainers(names),) if names else ()
    return (*retire, StopStore(store.container.name)) if store and not store.users and not store.stopped else retire


def _store_finding(facts: HostFacts, store: KeyValueStore | None) -> Finding:
    if not store or store.stopped:
        return Finding("key-value store", "pass", "none in use on this host")
    name = store.container.name
    if store.users:
        text = f"{name} keeps running: {', '.join(store.users)} may still use it; it is down while the Engine restarts"
        return Finding("key-value store", "pass", text, "Migrate these hosts, then this host again.")
    peers = ", ".join(facts.environment.store_peers) if facts.environment else ""
    if not peers:
        return Finding("key-value store", "pass", f"{name}: no longer used")
    text = f"{name} would be stopped, but {peers} is connected to it"
    return Finding("key-value store", "warn", text, "Check what that client is before you stop its store.")
