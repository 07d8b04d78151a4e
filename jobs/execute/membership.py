"""The host's place in the swarm. The manager token is never fetched: a manager is a worker that was promoted."""

from collections.abc import Callable
from typing import Any

from imker.fault import fault
from jobs import facts, gather, steps
from jobs.errors import EngineRefused, TimedOut
from jobs.execute.site import Site
from jobs.facts import DRAINED, PENDING, Node
from jobs.lock import Mark
from jobs.own_node import is_at, misplaced

Spec = dict[str, Any]
JOIN, READY, LEAVE = 60, 60, 120  # seconds; the last for a node's tasks
ENDED = ("complete", "shutdown", "failed", "rejected", "orphaned", "remove")  # a task's states after its work
LEADERLESS = 20  # seconds that a swarm may be without a leader: a manager just promoted is to answer first


def execute(step: steps.Step, site: Site) -> str:
    match step:
        case steps.InitSwarm():
            site.engine().init(site.pool)
            site.managers = (site.host.name,)
            return f"started; {site.host.name} is its first manager"
        case steps.JoinSwarm(drained):
            return _join(site, "drain" if drained else "active")
        case steps.MarkPending():
            return _mark_pending(site)
        case steps.CheckNode():
            return _check(site)
        case steps.Promote(node):
            _change(site, node, _promoted)
            return "promoted"
        case steps.AwaitReachable(node):
            return _await_reachable(site, node)
        case steps.DrainNode(node):
            return _drain(site, node)
        case steps.Activate(node):
            _change(site, node, _activated)
            return "active"
        case steps.LeaveSwarm(node):
            return _leave(site, node)
        case _:
            raise AssertionError(f"no such step here: {step}")


def claim(site: Site, mark: Mark) -> None:
    """The swarm, for who is in it. Raises Superseded."""
    if not gather.wait_for(lambda: _claimed(site, mark), LEADERLESS):
        _claimed(site, mark)  # the error says why not


def _claimed(site: Site, mark: Mark) -> bool:
    site.manager().claim(mark)
    return True


def _join(site: Site, availability: str) -> str:
    """A join that times out goes on in the background: the Engine's own word on its state is what counts."""
    manager = site.manager()
    try:
        site.engine().join(manager.host.advertise_address, manager.worker_token(), availability)
    except EngineRefused as refused:
        if "Timeout was reached" not in refused.summary:
            raise
    fault("join.asked")
    if not gather.wait_for(lambda: _place(site).state == "active", JOIN):
        raise TimedOut(f"{site.host.name} is still {_place(site).state} after {JOIN} s", host=site.host.name)
    return f"joined through {manager.host.name}"


def _mark_pending(site: Site) -> str:
    _change(
        site, _place(site).node, lambda spec: {**spec, "Labels": {**(spec.get("Labels") or {}), PENDING: "manager"}}
    )
    return "marked"


def _check(site: Site) -> str:
    node = _place(site).node
    if not gather.wait_for(lambda: _seen(site, node).state == "ready", READY):
        _seen(site, node)  # the error says why not, where the node is another host's
        raise TimedOut(f"the managers do not see {site.host.name} ready after {READY} s", host=site.host.name)
    return f"node {node[:12]} is Ready"


def _await_reachable(site: Site, node: str) -> str:
    if not gather.wait_for(lambda: _seen(site, node).manager in ("leader", "reachable"), READY):
        raise TimedOut(f"node {node} is promoted, but not Reachable after {READY} s", host=site.host.name)
    return "Reachable"


def _leave(site: Site, node: str) -> str:
    """The host leaves by itself when it can; a host that is away is taken off the managers' list all the same."""
    gather.wait_for(lambda: _left(site, node), 10)
    gather.wait_for(lambda: _seen(site, node).state == "down", READY)
    fault("swarm.left")
    _seen(site, node)  # raises for another host's
    site.manager().remove_node(node)
    return "left, and removed from the list of nodes"


def _left(site: Site, node: str) -> bool:
    """Have the host leave the swarm, unless it is another node there by now."""
    engine = site.engine()
    place = facts.place(engine.info())
    if place.state != "inactive" and place.node in ("", node):
        engine.leave()
    return True


def _place(site: Site) -> facts.SwarmPlace:
    return facts.place(site.engine().info())


def _seen(site: Site, node: str) -> Node:
    """Return the node as a manager sees it. Raise EngineRefused where that is not at this host's address."""
    nodes = {seen.id: seen for seen in gather.node_list(site.manager())}
    if node not in nodes:
        raise EngineRefused(f"the managers know no node {node}", host=site.host.name)
    if not is_at(site.host, nodes[node]):
        wrong, hint = misplaced(site.host, nodes[node].address)
        raise EngineRefused(f"node {node[:12]} is not {site.host.name}'s: {wrong}", host=site.host.name, hint=hint)
    return nodes[node]


def _change(site: Site, node: str, change: Callable[[Spec], Spec]) -> None:
    """Change a node of this host, and no other host's. Right after a join the managers have no address of it yet."""
    if not gather.wait_for(lambda: bool(_seen(site, node)), LEADERLESS):
        _seen(site, node)  # the error says why not
    site.manager().change_node(node, change)


def _drain(site: Site, node: str) -> str:
    """Tasks that take longer to stop are not waited for: the Engine's restart would stop them as well."""
    _change(site, node, _drained)
    if gather.wait_for(lambda: not _working(site, node), LEAVE):
        return "no task of a service runs on it"
    return f"after {LEAVE} s these still stop: {', '.join(_working(site, node))}"


def _working(site: Site, node: str) -> list[str]:
    return [task["ID"][:12] for task in site.manager().tasks(node) if task["Status"]["State"] not in ENDED]


def _drained(spec: Spec) -> Spec:
    return {**spec, "Labels": {**(spec.get("Labels") or {}), DRAINED: "true"}, "Availability": "drain"}


def _promoted(spec: Spec) -> Spec:
    return {**spec, "Role": "manager"}


def _activated(spec: Spec) -> Spec:
    labels = {key: value for key, value in (spec.get("Labels") or {}).items() if key not in (PENDING, DRAINED)}
    return {**spec, "Labels": labels, "Availability": "active"}
