"""Check what a host's steps mean for the swarm around it. Pure."""

from imker.protocol.values import Finding
from jobs.facts import quorum
from jobs.facts.host import HostFacts
from jobs.facts.own_node import find_own_node, is_manager
from jobs.facts.packages import parse_engine_version
from jobs.facts.swarm import SwarmFacts
from jobs.inventory.model import Host
from jobs.steps import InitSwarm, MarkPending, RestartEngine, Step


def check_swarm(
    host: Host, facts: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...], target_version: str
) -> tuple[Finding, ...]:
    """What the plan's steps mean for the swarm around the host."""
    return (
        *_check_unreachable_hosts(host, swarm, steps),
        *_check_stale_nodes(host, facts, swarm),
        *_check_versions(host, facts, swarm, target_version),
        _check_autolock(host, facts, swarm, steps),
        _check_quorum(host, facts, swarm, steps),
    )


def _check_unreachable_hosts(host: Host, swarm: SwarmFacts, steps: tuple[Step, ...]) -> tuple[Finding, ...]:
    """Two swarms by mistake are worse than a question."""
    silent = [name for name in swarm.unreachable if name != host.name]
    if not silent or InitSwarm() not in steps:
        return ()
    text = f"{', '.join(silent)}: no answer; if one of them manages a swarm already, this starts a second"
    return (
        Finding("no swarm elsewhere", "warn", text, "Bring them back first, or continue if you know there is none."),
    )


def _check_stale_nodes(host: Host, facts: HostFacts, swarm: SwarmFacts) -> tuple[Finding, ...]:
    """A host that left and comes again is a new node; the old entry stays on the list, as a manager it even counts."""
    host_names, node = (host.name, host.advertise_address), find_own_node(host, facts.membership, swarm.nodes)
    old = [
        other
        for other in swarm.nodes
        if other.state == "down" and other != node and (other.hostname in host_names or other.address in host_names)
    ]
    if not old:
        return ()
    ids = " ".join(node.id[:12] for node in old)
    first = f"docker node demote {ids}; " if any(node.role == "manager" for node in old) else ""
    text = f"the swarm's list still has {host.name} from before, Down: {ids}"
    return (Finding("old nodes", "pass", text, f"Once it is in again, on a manager: {first}docker node rm {ids}"),)


def _check_versions(host: Host, facts: HostFacts, swarm: SwarmFacts, target_version: str) -> tuple[Finding, ...]:
    """Mixed versions in one swarm have broken ingress, and managers that do not understand each other."""
    own = find_own_node(host, facts.membership, swarm.nodes)
    others = {parse_engine_version(node.engine_version) for node in swarm.nodes if node != own} - {
        parse_engine_version(target_version),
        "",
    }
    if not others:
        return (Finding("engine versions", "pass", f"all on {parse_engine_version(target_version)}"),)
    text = f"nodes of the swarm run {', '.join(sorted(others))}; this host would run {parse_engine_version(target_version)}"
    return (
        Finding("engine versions", "warn", text, "Choose theirs: [engine] version; or upgrade them too, one by one."),
    )


def _restarts_manager(host: Host, facts: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> bool:
    """A manager that restarts is away for a while: the others have to be enough, and its keys at hand."""
    return is_manager(host, facts, swarm) and any(isinstance(step, RestartEngine) for step in steps)


def _check_autolock(host: Host, facts: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> Finding:
    if not swarm.autolock:
        return Finding("autolock", "pass", "off" if swarm.exists else "no swarm yet, and it starts unlocked")
    if not _restarts_manager(host, facts, swarm, steps):
        hint = "A manager asks for the unlock key after each restart: docker swarm unlock"
        return Finding("autolock", "pass", "the swarm is locked; nothing here needs its key", hint)
    text = "the swarm is locked: after its restart this manager waits for the unlock key"
    hint = "Have `docker swarm unlock` ready on the host, or take the lock off: docker swarm update --autolock=false"
    return Finding("autolock", "block", text, hint)


def _check_quorum(host: Host, facts: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> Finding:
    """Now and after, and what is left meanwhile."""
    managers = [node for node in swarm.nodes if node.role == "manager"]
    if not _restarts_manager(host, facts, swarm, steps):
        return Finding("quorum", "pass", _describe_change(len(managers), steps))
    unreachable = [node.hostname for node in managers if node.manager_status not in ("leader", "reachable")]
    remaining = len(managers) - len(unreachable) - 1
    if remaining >= len(managers) // 2 + 1:
        return Finding("quorum", "pass", f"{remaining} of {len(managers)} managers go on while this one restarts")
    if unreachable:
        text = f"{', '.join(unreachable)} does not answer; with this manager away too, the swarm has no quorum"
        return Finding("quorum", "block", text, "Bring it back first.")
    text = f"{remaining} of {len(managers)} managers stay: the swarm takes no changes until this one is back"
    return Finding("quorum", "pass" if len(managers) == 1 else "warn", text, "Its services go on running.")


def _describe_change(managers: int, steps: tuple[Step, ...]) -> str:
    now = f"now {quorum.describe_tolerance(managers)}" if managers else "no swarm yet"
    more = any(isinstance(step, InitSwarm | MarkPending) for step in steps)
    return f"{now}; with this one {quorum.describe_tolerance(managers + 1)}" if more else f"{now}; that stays so"
