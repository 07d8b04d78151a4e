"""Simulate one host and a swarm for the planner, as values that each step changes.

It knows what a step changes in the facts that a plan is made from, not how a host does it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jobs import daemon_options, steps
from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.facts.classic_swarm import AGENT_NAMES
from jobs.facts.containers import Container
from jobs.facts.host import HostFacts
from jobs.facts.packages import Package, parse_engine_version
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.plan import CONFFILE

OWN_NODE_ID, MAINTAINER_TEXT = "node-of-the-host", "# maintainer's file\n#DOCKER_OPTS=\n"


@dataclass(frozen=True)
class World:
    engine: str
    package: Package
    source: str
    files: dict[str, str]
    unit: UnitFacts
    containers: tuple[Container, ...]
    nodes: tuple[Node, ...] = ()
    saved_copies: dict[str, str] | None = None
    previously_running: tuple[str, ...] | None = None
    stale: bool = True
    in_swarm: bool = False

    def host(self) -> HostFacts:
        return HostFacts(
            name="kaditz",
            engine_version=self.engine,
            options_changed=self.stale,
            package=self.package,
            apt_source=self.source,
            options=OptionFiles(self.unit, self.files, (), self.saved_copies or {}),
            containers=self.containers,
            previously_running=self.previously_running,
            membership=SwarmMembership("active", OWN_NODE_ID, self._is("manager"))
            if self.in_swarm
            else SwarmMembership(),
        )

    def swarm(self) -> SwarmFacts:
        managers = tuple(node.hostname for node in self.nodes if node.role == "manager")
        return SwarmFacts(managers[0] if managers else "", self.nodes, managers)

    def _is(self, role: str) -> bool:
        return any(node.id == OWN_NODE_ID and node.role == role for node in self.nodes)


def manager_node(name: str, leader: bool = False) -> Node:
    return Node(
        name, name, "198.18.0.1", "manager", "active", "ready", "leader" if leader else "reachable", "26", False
    )


def apply_step(step: steps.Step, world: World) -> World:
    match step:
        case steps.RemoveClassicContainers(names):
            return replace(world, containers=tuple(c for c in world.containers if c.name not in names))
        case steps.StopStore(name):
            return replace(
                world,
                containers=tuple(
                    replace(c, running=False, restart_policy="no") if c.name == name else c for c in world.containers
                ),
            )
        case steps.SwitchAptSource(edit):
            assert world.source == edit.before
            return replace(world, source=edit.after)
        case steps.RewriteOptions(edits):
            return _write_files(world, {edit.path: edit.after for edit in edits})
        case steps.UpgradeEngine(packages, _, conffile):
            version = packages[0].split("=")[1]
            upgraded = replace(world, package=replace(world.package, installed=version, state="ii"), stale=True)
            return _write_files(upgraded, {CONFFILE: MAINTAINER_TEXT}) if conffile else upgraded
        case steps.RestoreOptions(path, options_text):
            return _write_files(world, {path: daemon_options.merge_variables(world.files.get(path, ""), options_text)})
        case steps.RestartEngine(options_text, ran):
            assert not any(flag in text for text in world.files.values() for flag in ("cluster-store", "live-restore"))
            after = tuple(_stop(c) if c.restart_policy == "no" else c for c in world.containers)
            return replace(world, engine=options_text, stale=False, containers=after, previously_running=ran)
        case steps.EnsureContainersRunning(names):
            running = tuple(replace(c, running=True) if c.name in names else c for c in world.containers)
            return replace(world, containers=running, previously_running=None)
        case _:
            return _apply_membership(step, world)


def _apply_membership(step: steps.Step, world: World) -> World:
    own_node = Node(OWN_NODE_ID, "kaditz", "198.18.0.39", "worker", "active", "ready", "", world.engine, False)
    match step:
        case steps.InitSwarm():
            assert not world.nodes
            return replace(world, in_swarm=True, nodes=(replace(own_node, role="manager", manager_status="leader"),))
        case steps.JoinSwarm(drained):
            assert parse_engine_version(world.engine) == parse_engine_version(world.package.installed)
            node = replace(own_node, availability="drain" if drained else "active")
            return replace(world, in_swarm=True, nodes=(*world.nodes, node))
        case steps.MarkPending(keeps):
            return _change_own_node(world, lambda node: replace(node, pending=True, keeps_availability=keeps))
        case steps.UnmarkPending():
            return _change_own_node(world, lambda node: replace(node, pending=False, keeps_availability=False))
        case steps.PromoteNode():
            return _change_own_node(world, lambda node: replace(node, role="manager", manager_status="reachable"))
        case steps.DrainNode():
            return _change_own_node(world, lambda node: replace(node, drained_by_imker=True, availability="drain"))
        case steps.ActivateNode():
            return _change_own_node(
                world, lambda node: replace(node, pending=False, drained_by_imker=False, availability="active")
            )
        case steps.LeaveSwarm():
            return replace(world, in_swarm=False, nodes=tuple(node for node in world.nodes if node.id != OWN_NODE_ID))
        case _:
            return world


def _change_own_node(world: World, change: Callable[[Node], Node]) -> World:
    return replace(world, nodes=tuple(change(node) if node.id == OWN_NODE_ID else node for node in world.nodes))


def _write_files(world: World, files: dict[str, str]) -> World:
    saved = {path: world.files[path] for path in files if path in world.files and files[path] != world.files[path]}
    return replace(
        world, files={**world.files, **files}, saved_copies={**(world.saved_copies or {}), **saved}, stale=True
    )


def _stop(container: Container) -> Container:
    return replace(container, running=False)


def classic_agents() -> tuple[Container, ...]:
    return tuple(Container(name, "swarm:1.2.3", True, "always") for name in AGENT_NAMES)
