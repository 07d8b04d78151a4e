"""A host's place in the swarm: what is left to do for it, and what to know before. Pure."""

import re

from jobs import quorum
from jobs.contract import Accept, Finding, Migrate, Reject, Role
from jobs.facts import HostFacts, Node, SwarmFacts, upstream
from jobs.inventory import Host
from jobs.own_node import objection, own_node
from jobs.plan.model import Refusal
from jobs.steps import (
    Activate,
    AwaitReachable,
    CheckNode,
    DrainNode,
    InitSwarm,
    JoinSwarm,
    MarkPending,
    RestartEngine,
    Step,
)
from jobs.typed import typed

CANDIDATE = re.compile(r"1\.12\.0-rc")


def is_manager(host: Host, now: HostFacts, swarm: SwarmFacts) -> bool:
    node = own_node(host, now.place, swarm.nodes)
    return bool(node and node.role == "manager")


def role_of(host: Host, now: HostFacts, swarm: SwarmFacts) -> Role:
    """What nobody said otherwise: the inventory's, but who manages, or waits to, stays so."""
    node = own_node(host, now.place, swarm.nodes)
    return "manager" if node and (node.pending or node.role == "manager") else host.role


def membership(host: Host, now: HostFacts, swarm: SwarmFacts, role: Role) -> tuple[Step, ...] | Refusal:
    if swarm.problem:
        return Refusal(f"the swarm cannot be asked: {swarm.problem}", "See /swarm nodes.")
    if candidates := [node for node in swarm.nodes if CANDIDATE.match(node.engine)]:
        return _candidates(candidates)
    if against := objection(host, now.place, swarm):
        return Refusal(against.text, against.hint, against.check)
    node = own_node(host, now.place, swarm.nodes)
    if now.place.state not in ("inactive", "") and node is None:
        return Refusal(
            f"{host.name} is in a swarm already ({now.place.state}), but in none that this inventory's managers know",
            f"On {host.name}: docker swarm leave, if nothing there is needed; then ask again.",
        )
    if node is not None:
        return _stays(host, node, role) or _member_steps(node, role)
    if swarm.exists:
        return (JoinSwarm(True), MarkPending(), CheckNode()) if role == "manager" else (JoinSwarm(False), CheckNode())
    if role == "manager":
        return (InitSwarm(), CheckNode())
    return Refusal(
        f"there is no swarm yet, and {host.name} is to be a worker",
        f"Start it with a manager first: {typed(Migrate(host.name, 'manager'))}, or another host.",
    )


def _candidates(nodes: list[Node]) -> Refusal:
    """They knew no join tokens: who joined waited to be accepted, and released Engines do not speak with them."""
    who = f"{', '.join(node.hostname for node in nodes)}: {', '.join(sorted({node.engine for node in nodes}))}"
    return Refusal(
        f"the swarm is of Docker's release candidates ({who}), which released ones cannot join",
        "Begin anew: on each of its nodes docker swarm leave --force; then migrate them as hosts that are in no swarm.",
    )


def spared(host: Host, now: HostFacts, swarm: SwarmFacts, engine: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps on a node's Engine, so that the swarm hardly sees its restart: drained before, verified after.

    What somebody else has drained or paused stays so; where no other node could take the work, it stays.
    """
    node = own_node(host, now.place, swarm.nodes)
    if node is None:
        return engine
    restarts = any(isinstance(step, RestartEngine) for step in engine)
    others = [other for other in swarm.nodes if other != node and _takes_work(other)]
    drain = (DrainNode(node.id),) if restarts and others and _takes_work(node) else ()
    manages = (AwaitReachable(node.id),) if node.role == "manager" else ()
    verify = (CheckNode(), *manages) if restarts else ()
    return (*drain, *engine, *verify, *((Activate(node.id),) if drain or node.drained else ()))


def _takes_work(node: Node) -> bool:
    return node.state == "ready" and node.availability == "active"


def swarm_findings(
    host: Host, now: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...], target: str
) -> tuple[Finding, ...]:
    """What the plan's steps mean for the swarm around the host."""
    return (
        *_silent(host, swarm, steps),
        *_ghosts(host, now, swarm),
        *_versions(host, now, swarm, target),
        _autolock(host, now, swarm, steps),
        _quorum(host, now, swarm, steps),
    )


def _silent(host: Host, swarm: SwarmFacts, steps: tuple[Step, ...]) -> tuple[Finding, ...]:
    """Two swarms by mistake are worse than a question."""
    silent = [name for name in swarm.silent if name != host.name]
    if not silent or InitSwarm() not in steps:
        return ()
    text = f"{', '.join(silent)}: no answer; if one of them manages a swarm already, this starts a second"
    return (
        Finding("no swarm elsewhere", "warn", text, "Bring them back first, or continue if you know there is none."),
    )


def _ghosts(host: Host, now: HostFacts, swarm: SwarmFacts) -> tuple[Finding, ...]:
    """A host that left and comes again is a new node; the old entry stays on the list, as a manager it even counts."""
    own, node = (host.name, host.advertise_address), own_node(host, now.place, swarm.nodes)
    old = [
        other
        for other in swarm.nodes
        if other.state == "down" and other != node and (other.hostname in own or other.address in own)
    ]
    if not old:
        return ()
    ids = " ".join(node.id[:12] for node in old)
    first = f"docker node demote {ids}; " if any(node.role == "manager" for node in old) else ""
    text = f"the swarm's list still has {host.name} from before, Down: {ids}"
    return (Finding("old nodes", "pass", text, f"Once it is in again, on a manager: {first}docker node rm {ids}"),)


def _versions(host: Host, now: HostFacts, swarm: SwarmFacts, target: str) -> tuple[Finding, ...]:
    """Mixed versions in one swarm have broken ingress, and managers that do not understand each other."""
    own = own_node(host, now.place, swarm.nodes)
    others = {upstream(node.engine) for node in swarm.nodes if node != own} - {upstream(target), ""}
    if not others:
        return (Finding("engine versions", "pass", f"all on {upstream(target)}"),)
    text = f"nodes of the swarm run {', '.join(sorted(others))}; this host would run {upstream(target)}"
    return (
        Finding("engine versions", "warn", text, "Choose theirs: [engine] version; or upgrade them too, one by one."),
    )


def _restarts(host: Host, now: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> bool:
    """A manager that restarts is away for a while: the others have to be enough, and its keys at hand."""
    return is_manager(host, now, swarm) and any(isinstance(step, RestartEngine) for step in steps)


def _autolock(host: Host, now: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> Finding:
    if not swarm.autolock:
        return Finding("autolock", "pass", "off" if swarm.exists else "no swarm yet, and it starts unlocked")
    if not _restarts(host, now, swarm, steps):
        hint = "A manager asks for the unlock key after each restart: docker swarm unlock"
        return Finding("autolock", "pass", "the swarm is locked; nothing here needs its key", hint)
    text = "the swarm is locked: after its restart this manager waits for the unlock key"
    hint = "Have `docker swarm unlock` ready on the host, or take the lock off: docker swarm update --autolock=false"
    return Finding("autolock", "block", text, hint)


def _quorum(host: Host, now: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> Finding:
    """Now and after, and what is left meanwhile."""
    managers = [node for node in swarm.nodes if node.role == "manager"]
    if not _restarts(host, now, swarm, steps):
        return Finding("quorum", "pass", _survives(len(managers), steps))
    away = [node.hostname for node in managers if node.manager not in ("leader", "reachable")]
    left = len(managers) - len(away) - 1
    if left >= len(managers) // 2 + 1:
        return Finding("quorum", "pass", f"{left} of {len(managers)} managers go on while this one restarts")
    if away:
        text = f"{', '.join(away)} does not answer; with this manager away too, the swarm has no quorum"
        return Finding("quorum", "block", text, "Bring it back first.")
    text = f"{left} of {len(managers)} managers stay: the swarm takes no changes until this one is back"
    return Finding("quorum", "pass" if len(managers) == 1 else "warn", text, "Its services go on running.")


def _survives(managers: int, steps: tuple[Step, ...]) -> str:
    now = f"now {quorum.survives(managers)}" if managers else "no swarm yet"
    more = any(isinstance(step, InitSwarm | MarkPending) for step in steps)
    return f"{now}; with this one {quorum.survives(managers + 1)}" if more else f"{now}; that stays so"


def _stays(host: Host, node: Node, role: Role) -> Refusal | None:
    """Who manages, or waits to, is no worker by a migration."""
    own = node.id[:12]
    if role == "worker" == node.role and node.pending:
        hint = f"{typed(Reject(own))} leaves it a worker; {typed(Accept(own))} makes it a manager."
        return Refusal(f"{host.name} waits to be accepted as a manager", hint)
    if role == "worker" != node.role:
        hint = f"On another manager: docker node demote {own}; then {typed(Migrate(host.name, role))}."
        return Refusal(f"{host.name} is a manager; Imker demotes none", hint)
    return None


def _member_steps(node: Node, role: Role) -> tuple[Step, ...]:
    """One that is a manager and still pending was accepted, and its job died after the promotion: that is finished."""
    ready: tuple[Step, ...] = () if node.state == "ready" else (CheckNode(),)
    if role == "manager" == node.role and node.pending:
        return (AwaitReachable(node.id), Activate(node.id))
    if role == "manager" and node.role == "worker" and not node.pending:
        return (MarkPending(), *ready)
    return ready
