"""From what is true to what is to be done. Pure: no clock, no randomness, no I/O.

A plan is made from the host as it is now, so what is done already is not in it: to resume is to plan again.
"""

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatch

from jobs import daemon_options, quorum
from jobs.contract import Candidate, Finding, Quorum, Role
from jobs.daemon_options import FileEdit, Rewrite
from jobs.facts import Container, HostFacts, Node, Package, SwarmFacts, upstream
from jobs.inventory import Host
from jobs.settings import EngineSection
from jobs.sources import switched
from jobs.steps import (
    Activate,
    AwaitReachable,
    CheckNode,
    InitSwarm,
    JoinSwarm,
    LeaveSwarm,
    MarkPending,
    Promote,
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

CLASSIC = ("swarm-agent", "swarm-agent-master")  # docker-machine's names
CONFFILE = "/etc/default/docker"


@dataclass(frozen=True)
class Plan:
    """`waits`: whether its end is a question, to accept the host as a manager. No steps: nothing to do."""

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    edits: tuple[FileEdit, ...] = ()
    waits: bool = False

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.steps, self.findings)

    def level(self, level: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == level)


@dataclass(frozen=True)
class Refusal:
    """Why nothing is done, and what to type instead."""

    summary: str
    hint: str = ""


def fingerprint(*shown: object) -> str:
    """The same for the same values: what a person's yes is bound to."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def migration(
    host: Host, now: HostFacts, swarm: SwarmFacts, role: Role, goal: EngineSection, store_users: tuple[str, ...] = ()
) -> Plan | Refusal:
    """All that is left to do to have `host` in the swarm with its role, on the wanted Engine.

    `store_users`: the other hosts that still need the key-value store on this one.
    """
    if now.package is None:
        return Refusal(
            f"{host.name} has no Engine package that apt knows", "Install one, or name it: [engine] package."
        )
    engine = _engine_steps(host, now, now.package, goal, store_users)
    if isinstance(engine, Refusal):
        return engine
    membership = _membership(host, now, swarm, role)
    if isinstance(membership, Refusal):
        return membership
    waits = role == "manager" and swarm.exists and not _is_manager(now, swarm)
    findings = (*engine.findings, *_silent_finding(host, membership, swarm))
    return Plan((*engine.steps, *membership), findings, engine.edits, waits)


def acceptance(swarm: SwarmFacts, prefix: str) -> Plan | Refusal:
    """Promotes a pending node, and lets it have work. One that is a manager already only gets what is missing."""
    node = pending_node(swarm, prefix)
    if isinstance(node, Refusal):
        return node
    managers = [other for other in swarm.nodes if other.role == "manager"]
    reachable = [other for other in managers if other.manager in ("leader", "reachable")]
    if node.role == "manager":
        return Plan((AwaitReachable(node.id), Activate(node.id)))
    if not quorum.may_add(len(managers), len(reachable)):
        away = ", ".join(other.hostname for other in managers if other not in reachable)
        return Refusal(
            f"a manager does not answer ({away}), and adding one now could cost the quorum", "Mend it first."
        )
    return Plan((Promote(node.id), AwaitReachable(node.id), Activate(node.id)))


def rejection(swarm: SwarmFacts, prefix: str, remove: bool) -> Plan | Refusal:
    """Leaves a pending node a worker that may have work, or takes it out."""
    node = pending_node(swarm, prefix)
    if isinstance(node, Refusal):
        return node
    if node.role == "manager":
        return Refusal(f"{node.hostname} is a manager already: too late to reject it")
    return Plan((LeaveSwarm(node.id),) if remove else (Activate(node.id),))


def pending_node(swarm: SwarmFacts, prefix: str) -> Node | Refusal:
    found = [node for node in swarm.nodes if node.pending and node.id.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    waiting = ", ".join(f"{node.hostname} ({node.id})" for node in swarm.nodes if node.pending) or "none"
    many = "more than one node that waits" if found else "no node that waits"
    return Refusal(f"{prefix} is the ID of {many} for acceptance", f"Waiting now: {waiting}.")


def candidate(host: Host, node: Node) -> Candidate:
    return Candidate(host.name, node.id, node.address, node.hostname, node.engine)


def quorum_after_one_more(swarm: SwarmFacts) -> Quorum:
    managers = sum(node.role == "manager" for node in swarm.nodes)
    return quorum.change(managers, managers + 1)


def own_node(now: HostFacts, swarm: SwarmFacts) -> Node | None:
    return next((node for node in swarm.nodes if node.id == now.place.node), None)


# --- the Engine ----------------------------------------------------------------------------------------------------


def _engine_steps(
    host: Host, now: HostFacts, package: Package, goal: EngineSection, store_users: tuple[str, ...]
) -> Plan | Refusal:
    target = _target(package, goal)
    if target is None:
        offered = ", ".join(package.candidates) or "none"
        return Refusal(f"apt on {host.name} offers no {package.name} {goal.version or ''}".rstrip() + f": {offered}")
    rewrite = daemon_options.rewrite(now.options, upstream(target))
    upgrade = _upgrade(now, package, target, rewrite)
    source = switched(now.source, goal.apt_component)
    switch = (SwitchSource(FileEdit(str(goal.apt_list), now.source, source)),) if source != now.source else ()
    options = (RewriteOptions(rewrite.edits),) if rewrite.edits else ()
    back = _back(now, rewrite, bool(upgrade))
    steps: tuple[Step, ...] = (*_retire(now, store_users), *switch, *options, *upgrade, *back)
    leaving = {step.name for step in steps if isinstance(step, StopStore)}
    steps += _restart(now, package, target, leaving, bool(options or upgrade or back))
    findings = (*rewrite.findings, *_store_finding(now, store_users))
    return Plan(steps, findings, rewrite.edits)


def _target(package: Package, goal: EngineSection) -> str | None:
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
    return (UpgradeEngine(names, upstream(target), conffile),)


def _back(now: HostFacts, rewrite: Rewrite, upgrading: bool) -> tuple[PutOptionsBack, ...]:
    """The conffile's options return after an upgrade that replaces it, or after one that was interrupted."""
    text = _after(rewrite, CONFFILE, now.options.files.get(CONFFILE, ""))
    if upgrading:
        return (PutOptionsBack(CONFFILE, text),) if daemon_options.assignments(text) else ()
    saved = now.options.saved.get(CONFFILE, "")
    lost = set(daemon_options.assignments(saved)) - set(daemon_options.assignments(text))
    if not lost:
        return ()
    return (PutOptionsBack(CONFFILE, daemon_options.cleaned(saved)),)


def _after(rewrite: Rewrite, path: str, text: str) -> str:
    return next((edit.after for edit in rewrite.edits if edit.path == path), text)


def _restart(now: HostFacts, package: Package, target: str, leaving: set[str], changed: bool) -> tuple[Step, ...]:
    running = tuple(container.name for container in now.containers if container.running and not _classic(container))
    ran = tuple(name for name in (now.ran if now.ran is not None else running) if name not in leaving)
    old_engine = upstream(now.engine) != upstream(target)
    if changed or old_engine or now.stale or not now.api:
        old = (f"{package.name}={package.installed}",) if package.installed != target else ()
        restart: tuple[Step, ...] = (RestartEngine(upstream(target), ran, old),)
    else:
        restart = ()
    return (*restart, StartContainers(ran)) if restart or now.ran is not None else ()


def _classic(container: Container) -> bool:
    return container.name in CLASSIC


def _store(now: HostFacts) -> Container | None:
    stores = (container for container in now.containers if "consul" in container.image)
    return next((store for store in stores if store.running or store.restart != "no"), None)


def _retire(now: HostFacts, store_users: tuple[str, ...]) -> tuple[Step, ...]:
    names = tuple(container.name for container in now.containers if _classic(container))
    store = _store(now)
    retire: tuple[Step, ...] = (RetireContainers(names),) if names else ()
    return (*retire, StopStore(store.name)) if store and not store_users else retire


def _store_finding(now: HostFacts, store_users: tuple[str, ...]) -> tuple[Finding, ...]:
    store = _store(now)
    if not store or not store_users:
        return ()
    text = f"{store.name} stays: {', '.join(store_users)} may still need it; it is away while the Engine restarts"
    return (Finding("key-value store", "pass", text, "Migrate them, then this host again."),)


# --- membership ----------------------------------------------------------------------------------------------------


def _is_manager(now: HostFacts, swarm: SwarmFacts) -> bool:
    node = own_node(now, swarm)
    return bool(node and node.role == "manager")


def _membership(host: Host, now: HostFacts, swarm: SwarmFacts, role: Role) -> tuple[Step, ...] | Refusal:
    if swarm.problem:
        return Refusal(f"the swarm cannot be asked: {swarm.problem}", "See /swarm nodes.")
    node = own_node(now, swarm)
    if now.place.state not in ("inactive", "") and node is None:
        return Refusal(
            f"{host.name} is in a swarm already ({now.place.state}), but in none that this inventory's managers know",
            f"On {host.name}: docker swarm leave, if nothing there is needed; then ask again.",
        )
    if node is not None:
        return _member_steps(node, role)
    if swarm.exists:
        return (JoinSwarm(True), MarkPending(), CheckNode()) if role == "manager" else (JoinSwarm(False), CheckNode())
    if role == "manager":
        return (InitSwarm(), CheckNode())
    return Refusal(
        f"there is no swarm yet, and {host.name} is to be a worker",
        f"Start it with a manager first: /swarm migrate {host.name} --manager, or another host.",
    )


def _silent_finding(host: Host, membership: tuple[Step, ...], swarm: SwarmFacts) -> tuple[Finding, ...]:
    """Two swarms by mistake are worse than a question."""
    silent = [name for name in swarm.silent if name != host.name]
    if not silent or not isinstance(membership[0] if membership else None, InitSwarm):
        return ()
    text = f"{', '.join(silent)}: no answer; if one of them manages a swarm already, this starts a second"
    return (
        Finding("no swarm elsewhere", "warn", text, "Bring them back first, or continue if you know there is none."),
    )


def _member_steps(node: Node, role: Role) -> tuple[Step, ...]:
    ready: tuple[Step, ...] = () if node.state == "ready" else (CheckNode(),)
    if role == "manager" and node.role == "worker" and not node.pending:
        return (MarkPending(), *ready)
    return ready
