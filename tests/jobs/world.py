"""A small simulated world for the planner: one host and a swarm, as values that a step changes.

It is simulated: it knows what each step does to what a plan is made from, and nothing of how a host does it.
"""

from dataclasses import dataclass, replace

from jobs import daemon_options, steps
from jobs.classic import AGENTS
from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.facts import Container, HostFacts, Node, Package, SwarmFacts, SwarmPlace, upstream
from jobs.plan import CONFFILE

OWN, MAINTAINERS = "node-of-the-host", "# maintainer's file\n#DOCKER_OPTS=\n"


@dataclass(frozen=True)
class World:
    engine: str
    package: Package
    source: str
    files: dict[str, str]
    unit: UnitFacts
    containers: tuple[Container, ...]
    nodes: tuple[Node, ...] = ()
    saved: dict[str, str] | None = None
    ran: tuple[str, ...] | None = None
    stale: bool = True
    joined: bool = False

    def host(self) -> HostFacts:
        return HostFacts(
            name="kaditz",
            engine=self.engine,
            stale=self.stale,
            package=self.package,
            source=self.source,
            options=OptionFiles(self.unit, self.files, (), self.saved or {}),
            containers=self.containers,
            ran=self.ran,
            place=SwarmPlace("active", OWN, self._is("manager")) if self.joined else SwarmPlace(),
        )

    def swarm(self) -> SwarmFacts:
        managers = tuple(node.hostname for node in self.nodes if node.role == "manager")
        return SwarmFacts(managers[0] if managers else "", self.nodes, managers)

    def _is(self, role: str) -> bool:
        return any(node.id == OWN and node.role == role for node in self.nodes)


def manager(name: str, leader: bool = False) -> Node:
    return Node(
        name, name, "198.18.0.1", "manager", "active", "ready", "leader" if leader else "reachable", "26", False
    )


def apply(step: steps.Step, world: World) -> World:
    match step:
        case steps.RetireContainers(names):
            return replace(world, containers=tuple(c for c in world.containers if c.name not in names))
        case steps.StopStore(name):
            return replace(
                world,
                containers=tuple(
                    replace(c, running=False, restart="no") if c.name == name else c for c in world.containers
                ),
            )
        case steps.SwitchSource(edit):
            assert world.source == edit.before
            return replace(world, source=edit.after)
        case steps.RewriteOptions(edits):
            return _written(world, {edit.path: edit.after for edit in edits})
        case steps.UpgradeEngine(packages, _, conffile):
            version = packages[0].split("=")[1]
            upgraded = replace(world, package=replace(world.package, installed=version, state="ii"), stale=True)
            return _written(upgraded, {CONFFILE: MAINTAINERS}) if conffile else upgraded
        case steps.PutOptionsBack(path, wanted):
            return _written(world, {path: daemon_options.put_back(world.files.get(path, ""), wanted)})
        case steps.RestartEngine(wanted, ran):
            assert not any(flag in text for text in world.files.values() for flag in ("cluster-store", "live-restore"))
            after = tuple(_stopped(c) if c.restart == "no" else c for c in world.containers)
            return replace(world, engine=wanted, stale=False, containers=after, ran=ran)
        case steps.StartContainers(names):
            running = tuple(replace(c, running=True) if c.name in names else c for c in world.containers)
            return replace(world, containers=running, ran=None)
        case _:
            return _member(step, world)


def _member(step: steps.Step, world: World) -> World:
    own = Node(OWN, "kaditz", "198.18.0.39", "worker", "active", "ready", "", world.engine, False)
    match step:
        case steps.InitSwarm():
            assert not world.nodes
            return replace(world, joined=True, nodes=(replace(own, role="manager", manager="leader"),))
        case steps.JoinSwarm(drained):
            assert upstream(world.engine) == upstream(world.package.installed)
            node = replace(own, availability="drain" if drained else "active")
            return replace(world, joined=True, nodes=(*world.nodes, node))
        case steps.MarkPending():
            return _changed(world, pending=True)
        case steps.Promote():
            return _changed(world, role="manager", manager="reachable")
        case steps.DrainNode():
            return _changed(world, drained=True, availability="drain")
        case steps.Activate():
            return _changed(world, pending=False, drained=False, availability="active")
        case steps.LeaveSwarm():
            return replace(world, joined=False, nodes=tuple(node for node in world.nodes if node.id != OWN))
        case _:
            return world


def _changed(world: World, **change: object) -> World:
    nodes = tuple(replace(node, **change) if node.id == OWN else node for node in world.nodes)  # type: ignore[arg-type]
    return replace(world, nodes=nodes)


def _written(world: World, files: dict[str, str]) -> World:
    saved = {path: world.files[path] for path in files if path in world.files and files[path] != world.files[path]}
    return replace(world, files={**world.files, **files}, saved={**(world.saved or {}), **saved}, stale=True)


def _stopped(container: Container) -> Container:
    return replace(container, running=False)


def classic() -> tuple[Container, ...]:
    return tuple(Container(name, "swarm:1.2.3", True, "always") for name in AGENTS)
