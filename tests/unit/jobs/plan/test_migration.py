"""Test that planning again after any interruption leads to the same result, and then to an empty plan."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker.protocol.commands import Migrate, Role
from jobs import plan, steps
from jobs.daemon_options import UnitFacts
from jobs.facts import classic_swarm, quorum
from jobs.facts.classic_swarm import StoreReferences
from jobs.facts.containers import Container
from jobs.facts.packages import Package, parse_engine_version
from jobs.facts.swarm import Node
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal
from jobs.settings import AptComponent, EngineSection
from tests.support import planner_world as simulated
from tests.support.planner_world import World, apply_step, manager_node

OLD, NEW = "20.10.24+dfsg1-1+deb12u1", "26.1.5+dfsg1-9+b9"
KADITZ = Host("kaditz", "198.18.0.39", "geschke", role="manager")
SETTINGS = EngineSection(version="26.1*", apt_component=AptComponent(**{"from": "main", "to": "experimental"}))
SOURCE = "deb [trusted=yes] http://198.18.0.1/ bookworm main\n"
CLUSTER = "--cluster-store=consul://192.168.10.64:8500 --cluster-advertise=eth0:2376"
TLS = (
    "-H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock --tlsverify --tlscacert /etc/docker/ca.pem "
    "--tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem --label provider=generic"
)
DEFAULTS = {plan.CONFFILE: f'DOCKER_OPTS="{TLS} {CLUSTER}"\n'}
UNIT = {"/etc/systemd/system/docker.service": f"[Service]\nExecStart=/usr/bin/dockerd {TLS} {CLUSTER}\n"}
PACKAGED = {
    "/lib/systemd/system/docker.service": "[Service]\nEnvironmentFile=-/etc/default/docker\n"
    "ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
}


CONSUL = Container("consulnode01", "progrium/consul:latest", True, "always", (), ("8500->8500/tcp",))
EXPORTER = Container("aa-metrics", "prom/consul-exporter", True, "always", (), ("9107->9107/tcp",))
NAMED = (StoreReferences("tondi", former=("consul://198.18.0.39:8500",)),)


def host(
    files: dict[str, str], installed: str, *, agents: bool, swarm: Iterable[Node] = (), store: bool = False
) -> World:
    is_unit_based = next(iter(UNIT)) in files
    fragment = next(iter(UNIT if is_unit_based else PACKAGED))
    app = (Container("web", "nginx", True, "unless-stopped"), Container("once", "batch", True, "no"))
    return World(
        engine=parse_engine_version(installed),
        package=Package("docker.io", installed, "ii", (NEW, OLD), ("26.1.5+dfsg1-9+b9",)),
        source=SOURCE,
        files=files if is_unit_based else {**PACKAGED, **files},
        unit=UnitFacts(fragment, (), () if is_unit_based else ("-/etc/default/docker",)),
        containers=(*app, *(simulated.classic_agents() if agents else ()), *((CONSUL, EXPORTER) if store else ())),
        nodes=tuple(swarm),
    )


def plan_world(world: World, role: Role) -> Plan:
    store = classic_swarm.match_store(KADITZ, world.containers, NAMED)
    result = plan.plan_migration(KADITZ, world.host(), world.swarm(), role, SETTINGS, store=store)
    assert isinstance(result, Plan), result
    return result


def finished(world: World, role: Role) -> World:
    for step in plan_world(world, role).steps:
        world = apply_step(step, world)
    return world


SWARMS = (
    (),
    (manager_node("connewitz", leader=True),),
    (manager_node("connewitz", leader=True), manager_node("tondi")),
)
worlds = st.builds(
    lambda files, installed, agents, swarm, store: host(files, installed, agents=agents, swarm=swarm, store=store),
    st.sampled_from([DEFAULTS, UNIT, {}]),
    st.sampled_from([OLD, NEW]),
    st.booleans(),
    st.sampled_from(SWARMS),
    st.booleans(),
)


@given(worlds, st.data())
def test_an_interrupted_migration_ends_the_same_after_planning_again(world: World, data: st.DataObject) -> None:
    role: Role = data.draw(st.sampled_from(["manager", "worker"])) if world.nodes else "manager"
    all_steps = plan_world(world, role).steps
    cut = world
    for step in all_steps[: data.draw(st.integers(0, len(all_steps)))]:
        cut = apply_step(step, cut)
    assert _lasting(finished(cut, role)) == _lasting(finished(world, role))


@given(worlds)
def test_a_finished_migration_has_no_steps(world: World) -> None:
    end = finished(world, "manager")
    again = plan_world(end, "manager")
    assert again.steps == ()
    assert again.needs_acceptance is bool(world.nodes), "a manager-to-be still waits, the first manager does not"


@given(worlds)
def test_no_step_breaks_the_quorum(world: World) -> None:
    for step in plan_world(world, "manager").steps:
        world = apply_step(step, world)
        managers = [node for node in world.nodes if node.role == "manager"]
        reachable = [node for node in managers if node.manager_status in ("leader", "reachable")]
        assert len(reachable) >= len(managers) - quorum.fault_tolerance(len(managers))


@given(worlds)
def test_keeps_containers_running_and_all_other_options(world: World) -> None:
    end = finished(world, "manager")
    assert {c.name for c in end.containers if c.running} - {EXPORTER.name} == {"web", "once"}
    assert [c for c in end.containers if c == EXPORTER] == [c for c in world.containers if c == EXPORTER]
    text = "".join(end.files.values())
    assert "cluster-" not in text
    if any("tlsverify" in old for old in world.files.values()):
        assert all(flag in text for flag in TLS.split())


def _lasting(world: World) -> tuple[object, ...]:
    """Return the final state without the backups, which differ."""
    return (
        world.engine,
        world.package,
        world.source,
        world.files,
        world.containers,
        world.nodes,
        world.previously_running,
    )


def test_orders_the_steps_so_that_the_engine_can_always_start() -> None:
    names = [
        type(step).__name__ for step in plan_world(host(DEFAULTS, OLD, agents=True, swarm=SWARMS[1]), "manager").steps
    ]
    assert names == [
        "RemoveClassicContainers", "SwitchAptSource", "RewriteOptions", "UpgradeEngine", "RestoreOptions",
        "RestartEngine", "EnsureContainersRunning", "JoinSwarm", "MarkPending", "WaitForReady",
    ]  # fmt: skip


def test_refuses_a_worker_without_a_swarm() -> None:
    result = plan.plan_migration(
        KADITZ, host({}, OLD, agents=False).host(), host({}, OLD, agents=False).swarm(), "worker", SETTINGS
    )
    assert isinstance(result, Refusal)
    assert [item.command for item in result.next_commands] == [Migrate("kaditz", "manager")]


def test_warns_before_a_swarm_is_started_while_hosts_are_unreachable() -> None:
    world = host({}, OLD, agents=False)
    swarm = replace(world.swarm(), unreachable=("connewitz",))
    result = plan.plan_migration(KADITZ, world.host(), swarm, "manager", SETTINGS)
    assert isinstance(result, Plan)
    assert [finding.check for finding in result.findings_of_level("warn")] == ["no swarm elsewhere"]


def test_refuses_to_join_or_replace_an_unclear_swarm() -> None:
    world = host({}, OLD, agents=False)
    result = plan.plan_migration(KADITZ, world.host(), replace(world.swarm(), problem="no leader"), "manager", SETTINGS)
    assert isinstance(result, Refusal)


@pytest.mark.parametrize(
    ("ghost", "says"),
    [
        (
            Node("ghost1234567890", "kaditz", "", "worker", "active", "down", "", "26", False),
            "docker node rm ghost1234567",
        ),
        (Node("ghost", "other", KADITZ.address, "worker", "active", "down", "", "26", False), "docker node rm ghost"),
        (Node("ghost", "kaditz", "", "manager", "active", "down", "unreachable", "26", False), "demote ghost; docker"),
        (Node("ghost", "kaditz", "", "worker", "active", "ready", "", "26", False), ""),
        (Node("ghost", "tondi", "", "worker", "active", "down", "", "26", False), ""),
    ],
)
def test_mentions_old_nodes_of_the_host(ghost: Node, says: str) -> None:
    world = host({}, OLD, agents=False, swarm=(*SWARMS[1], ghost))
    old_node_findings = [finding for finding in plan_world(world, "worker").findings if finding.check == "old nodes"]
    assert [says in finding.hint for finding in old_node_findings] == ([True] if says else [])


# --- a node of a swarm is upgraded ------------------------------------------------------------------------------------

OWN = Node(simulated.OWN_NODE_ID, "kaditz", KADITZ.address, "worker", "active", "ready", "", "20.10.24", False)
OTHER = Node("other", "pirita", "198.18.0.72", "worker", "active", "ready", "", "20.10.24", False)


def inside(*nodes: Node, installed: str = OLD, stale: bool = True) -> World:
    world = host({}, installed, agents=False, swarm=(*SWARMS[1], *nodes))
    return replace(world, in_swarm=True, stale=stale)


DRAINS: dict[str, tuple[World, list[str]]] = {
    "a worker": (inside(OWN, OTHER), ["DrainNode", "WaitForReady", "ActivateNode"]),
    "a manager": (
        inside(replace(OWN, role="manager", manager_status="reachable")),
        ["DrainNode", "WaitForReady", "WaitForReachable", "ActivateNode"],
    ),
    "drained by an operator": (inside(replace(OWN, availability="drain")), ["WaitForReady"]),
    "paused by an operator": (
        inside(replace(OWN, availability="pause")), ["DrainNode", "WaitForReady", "ActivateNode"]
    ),
    "no other node is active": (
        replace(inside(OWN), nodes=(replace(SWARMS[1][0], availability="drain"), OWN)), ["WaitForReady"]
    ),
    "a job crashed after the drain": (
        inside(replace(OWN, availability="drain", drained_by_imker=True)), ["WaitForReady", "ActivateNode"]
    ),
    "a job crashed before the activation": (
        inside(replace(OWN, availability="drain", drained_by_imker=True), installed=NEW, stale=False), ["ActivateNode"]
    ),
    "nothing to restart": (inside(OWN, installed=NEW, stale=False), []),
}  # fmt: skip


@pytest.mark.parametrize("case", DRAINS)
def test_drains_a_node_for_the_restart_and_verifies_before_activation(case: str) -> None:
    world, expected_steps = DRAINS[case]
    role: Role = (
        "manager"
        if any(node.id == simulated.OWN_NODE_ID and node.role == "manager" for node in world.nodes)
        else "worker"
    )
    names = [type(step).__name__ for step in plan_world(world, role).steps]
    membership = ("DrainNode", "WaitForReady", "WaitForReachable", "ActivateNode")
    assert [name for name in names if name in membership] == expected_steps
    if "DrainNode" in names:
        assert names.index("DrainNode") < names.index("UpgradeEngine") < names.index("WaitForReady")


@given(st.data())
def test_an_interrupted_upgrade_ends_with_an_active_node(data: st.DataObject) -> None:
    world = inside(OWN, OTHER)
    all_steps = plan_world(world, "worker").steps
    for step in all_steps[: data.draw(st.integers(0, len(all_steps)))]:
        world = apply_step(step, world)
    end = finished(world, "worker")
    assert next(node for node in end.nodes if node.id == simulated.OWN_NODE_ID) == OWN
    assert plan_world(end, "worker").steps == ()


def test_refuses_a_missing_version_before_any_change() -> None:
    world = host({}, OLD, agents=False)
    result = plan.plan_migration(KADITZ, world.host(), world.swarm(), "manager", EngineSection(version="99*"))
    assert isinstance(result, Refusal)
    assert "99*" in result.summary


PENDING = Node("abc123", "tondi", "198.18.0.73", "worker", "drain", "ready", "", "26.1.5", True)


def test_acceptance_promotes_then_activates() -> None:
    swarm = replace(host({}, NEW, agents=False, swarm=(*SWARMS[1], PENDING)).swarm())
    result = plan.plan_acceptance(swarm, "abc")
    assert isinstance(result, Plan)
    assert result.steps == (steps.PromoteNode("abc123"), steps.WaitForReachable("abc123"), steps.ActivateNode("abc123"))


def test_completes_an_interrupted_acceptance() -> None:
    end = finished(host({}, OLD, agents=False, swarm=SWARMS[1]), "manager")
    (own_node,) = (node for node in end.nodes if node.id == simulated.OWN_NODE_ID)
    promoted = replace(end, nodes=(*SWARMS[1], replace(own_node, role="manager", manager_status="reachable")))
    next_plan = plan_world(promoted, "manager")
    assert next_plan.steps == (steps.WaitForReachable(own_node.id), steps.ActivateNode(own_node.id))
    assert not next_plan.needs_acceptance


@pytest.mark.parametrize(
    ("nodes", "prefix", "says"),
    [
        ((PENDING,), "xyz", "no pending node"),
        ((PENDING, replace(PENDING, id="abc999")), "abc", "more than one pending node"),
        ((replace(PENDING, pending=False),), "abc", "no pending node"),
        ((PENDING, replace(manager_node("kaditz"), manager_status="unreachable")), "abc", "quorum"),
    ],
)
def test_refuses_an_acceptance(nodes: tuple[Node, ...], prefix: str, says: str) -> None:
    swarm = host({}, NEW, agents=False, swarm=(*SWARMS[1], *nodes)).swarm()
    result = plan.plan_acceptance(swarm, prefix)
    assert isinstance(result, Refusal)
    assert says in result.summary
