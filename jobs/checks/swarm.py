"""Check what a host's steps do to its swarm: a second swarm, versions, autolock, quorum. Pure."""

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
    """Return the findings on what the plan's steps do to the swarm."""
    return (
        *_check_unreachable_hosts(host, swarm, steps),
        *_check_stale_nodes(host, facts, swarm),
        *_check_versions(host, facts, swarm, target_version),
        _check_autolock(host, facts, swarm, steps),
        _check_quorum(host, facts, swarm, steps),
    )


def _check_unreachable_hosts(host: Host, swarm: SwarmFacts, steps: tuple[Step, ...]) -> tuple[Finding, ...]:
    """Warn before a swarm is initialized while hosts are unreachable, as one of them may manage a swarm already."""
    unreachable = [name for name in swarm.unreachable if name != host.name]
    if not unreachable or not any(isinstance(step, InitSwarm) for step in steps):
        return ()
    text = f"unreachable: {', '.join(unreachable)}; if one of them manages a swarm, this would start a second swarm"
    return (
        Finding(
            "no swarm elsewhere",
            "warn",
            text,
            "Make them reachable first, or continue if you know that there is no swarm.",
        ),
    )


def _check_stale_nodes(host: Host, facts: HostFacts, swarm: SwarmFacts) -> tuple[Finding, ...]:
    """Find the host's old node entries. An old manager entry still counts for the quorum."""
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
    text = f"the swarm still lists old nodes of {host.name}, state Down: {ids}"
    return (
        Finding(
            "old nodes", "pass", text, f"After it has joined again, run `{first}docker node rm {ids}` on a manager"
        ),
    )


def _check_versions(host: Host, facts: HostFacts, swarm: SwarmFacts, target_version: str) -> tuple[Finding, ...]:
    """Warn of mixed versions, which have broken the ingress network and the managers' communication."""
    own_node = find_own_node(host, facts.membership, swarm.nodes)
    others = {parse_engine_version(node.engine_version) for node in swarm.nodes if node != own_node} - {
        parse_engine_version(target_version),
        "",
    }
    if not others:
        return (Finding("engine versions", "pass", f"all on {parse_engine_version(target_version)}"),)
    target = parse_engine_version(target_version)
    text = f"nodes of the swarm run {', '.join(sorted(others))}; this host would run {target}"
    hint = "Set [engine] version to theirs, or upgrade these nodes too, one at a time."
    return (Finding("engine versions", "warn", text, hint),)


def _restarts_manager(host: Host, facts: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> bool:
    """Return whether the steps restart a manager. Meanwhile the other managers must keep quorum."""
    return is_manager(host, facts, swarm) and any(isinstance(step, RestartEngine) for step in steps)


def _check_autolock(host: Host, facts: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> Finding:
    if not swarm.autolock:
        return Finding(
            "autolock", "pass", "off" if swarm.exists else "no swarm yet; a new one starts with autolock off"
        )
    if not _restarts_manager(host, facts, swarm, steps):
        hint = "After each restart a manager needs the unlock key: `docker swarm unlock`"
        return Finding("autolock", "pass", "on, but no step needs the unlock key", hint)
    text = "autolock is on: this manager would wait for the unlock key after its restart"
    hint = "Turn autolock off, then migrate: `docker swarm update --autolock=false`"
    return Finding("autolock", "block", text, hint)


def _check_quorum(host: Host, facts: HostFacts, swarm: SwarmFacts, steps: tuple[Step, ...]) -> Finding:
    """Check the quorum now, during the restart of a manager, and afterwards."""
    managers = [node for node in swarm.nodes if node.role == "manager"]
    if not _restarts_manager(host, facts, swarm, steps):
        return Finding("quorum", "pass", _describe_change(len(managers), steps))
    unreachable = [node.hostname for node in managers if node.manager_status not in ("leader", "reachable")]
    remaining = len(managers) - len(unreachable) - 1
    if quorum.may_restart_manager(len(managers), len(managers) - len(unreachable)):
        return Finding(
            "quorum", "pass", f"{remaining} of {len(managers)} managers stay available while this one restarts"
        )
    if unreachable:
        text = f"unreachable: {', '.join(unreachable)}; while this manager restarts, the swarm would lose quorum"
        return Finding("quorum", "block", text, "Make it reachable first.")
    text = (
        f"{remaining} of {len(managers)} managers remain, so the swarm accepts no changes until this one has restarted"
    )
    return Finding("quorum", "pass" if len(managers) == 1 else "warn", text, "Its services keep running.")


def _describe_change(managers: int, steps: tuple[Step, ...]) -> str:
    now = f"now {quorum.describe_tolerance(managers)}" if managers else "no swarm yet"
    more = any(isinstance(step, InitSwarm | MarkPending) for step in steps)
    return f"{now}; with this one {quorum.describe_tolerance(managers + 1)}" if more else f"{now}; unchanged"
