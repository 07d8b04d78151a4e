"""Plan the commands that change one node: laws of the quorum, and a table of refusals and findings."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker.protocol.values import Quorum
from jobs import steps
from jobs.facts.services.model import ServiceFacts, TaskNode
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.inventory.model import Host
from jobs.plan import Refusal, node_changes
from jobs.plan.acceptance import plan_acceptance
from jobs.plan.node_changes import NodePlan
from jobs.plan.nodes import find_node
from jobs.plan.workload import Workload

NAMES = ("connewitz", "kaditz", "lausen", "lei-1", "miltitz", "pirita", "tondi")
HOSTS = {name: Host(name, f"198.18.0.{number}") for number, name in enumerate(NAMES, 1)}
COMMANDS = ("promote", "accept", "demote", "activate", "drain", "remove")


def node(name: str, role: str = "worker", status: str = "", **fields: object) -> Node:
    manager_status = (status or "reachable") if role == "manager" else ""
    state = "down" if manager_status == "unreachable" else "ready"
    listed = Node(
        f"id-{name}", name, HOSTS[name].address, role, "active", state, manager_status, "26.1.5", pending=False
    )
    return replace(listed, **fields)  # type: ignore[arg-type]


def swarm_of(*nodes: Node) -> SwarmFacts:
    managers = tuple(each.hostname for each in nodes if each.role == "manager" and each.manages)
    memberships = {
        each.hostname: SwarmMembership("active", each.id, each.role == "manager")
        for each in nodes
        if each.state == "ready"
    }
    return SwarmFacts(managers[0] if managers else "", nodes, managers, memberships=memberships, cluster_id="c")


def plan_of(command: str, host: Host, swarm: SwarmFacts, has_shell: bool = True) -> NodePlan | Refusal:
    """Return the plan as the command's handler makes it."""
    node = find_node(host, swarm, may_have_left=command == "remove")
    if isinstance(node, Refusal):
        return node
    workload = Workload(node.id, ServiceFacts("", (), (), tuple(map(TaskNode, swarm.nodes))))
    drain = node_changes.plan_drain(host, node, workload, "k3fm9x2q", "U01ALICE")
    match command:
        case "promote":
            return node_changes.plan_promotion(host, node, swarm)
        case "accept":
            plan = plan_acceptance(swarm, node.id)
            return plan if isinstance(plan, Refusal) else NodePlan(plan.steps, node=node.id)
        case "demote":
            return node_changes.plan_demotion(host, node, swarm)
        case "activate":
            return node_changes.plan_activation(host, node, "U01ALICE")
        case "drain":
            return drain
        case _:
            return node_changes.plan_removal(host, node, swarm, drain, has_shell=has_shell)


def apply(step: steps.Step, changed: str, swarm: SwarmFacts) -> SwarmFacts:
    """Return the swarm after a step on the node `changed`, an ID."""

    def change(**fields: object) -> SwarmFacts:
        return swarm_of(*(replace(each, **fields) if each.id == changed else each for each in swarm.nodes))  # type: ignore[arg-type]

    reachable = any(each.state == "ready" for each in swarm.nodes if each.id == changed)
    match step:
        case steps.MarkPending(keeps_availability):
            return change(pending=True, keeps_availability=keeps_availability)
        case steps.UnmarkPending():
            return change(pending=False, keeps_availability=False)
        case steps.ActivateNode():
            return change(pending=False, drained_by_imker=False, availability="active")
        case steps.SetAvailability(_, availability, run, requester):
            return change(availability=availability, drained_by_imker=False, drain_run=run, drain_user=requester)
        case steps.PromoteNode():
            return change(role="manager", manager_status="reachable" if reachable else "unreachable")
        case steps.DemoteNode():
            return change(role="worker", manager_status="")
        case steps.LeaveOnHost():
            after = change(state="down")
            return replace(after, memberships={**after.memberships, **_inactive(changed, swarm)})
        case steps.LeaveSwarm():
            after = swarm_of(*(each for each in swarm.nodes if each.id != changed))
            return replace(after, memberships={**after.memberships, **_inactive(changed, swarm)})
        case _:
            return swarm


def _inactive(changed: str, swarm: SwarmFacts) -> dict[str, SwarmMembership]:
    return {
        each.hostname: SwarmMembership()
        for each in swarm.nodes
        if each.id == changed and each.hostname in swarm.memberships
    }


def reachable_managers(swarm: SwarmFacts) -> tuple[int, int]:
    """Return how many managers are reachable, and how many there are."""
    managers = [each for each in swarm.nodes if each.role == "manager"]
    return sum(each.manages for each in managers), len(managers)


def has_quorum(swarm: SwarmFacts) -> bool:
    reachable, managers = reachable_managers(swarm)
    return reachable >= managers // 2 + 1


@st.composite
def swarms(draw: st.DrawFn) -> SwarmFacts:
    """Draw a swarm with quorum: without it no manager answers, and nothing is planned."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    nodes = []
    for name in names:
        role = draw(st.sampled_from(["manager", "manager", "worker"]))
        status = draw(st.sampled_from(["reachable", "reachable", "reachable", "unreachable"]))
        pending = draw(st.sampled_from([False, False, True]))
        nodes.append(
            node(
                name, role, status, pending=pending, keeps_availability=pending and draw(st.booleans()),
                availability=draw(st.sampled_from(["active", "drain", "pause"])),
                drained_by_imker=draw(st.booleans()),
            )
        )  # fmt: skip
    return swarm_of(*nodes)


stories = st.lists(st.tuples(st.sampled_from(COMMANDS), st.sampled_from(NAMES)), min_size=1, max_size=8)


@given(swarms().filter(has_quorum), stories)
def test_no_plan_leaves_fewer_managers_than_quorum_needs(swarm: SwarmFacts, story: Sequence[tuple[str, str]]) -> None:
    """Check it after every step of any story of commands, and that there is always a manager."""
    for command, name in story:
        plan = plan_of(command, HOSTS[name], swarm)
        for step in plan.steps if isinstance(plan, NodePlan) else ():
            swarm = apply(step, f"id-{name}", swarm)
            assert has_quorum(swarm), (command, name, step, reachable_managers(swarm))
            assert reachable_managers(swarm)[0] >= 1


@given(swarms().filter(has_quorum), st.sampled_from(COMMANDS), st.sampled_from(NAMES), st.data())
def test_any_prefix_and_a_new_plan_lead_to_the_same_end(
    swarm: SwarmFacts, command: str, name: str, data: st.DataObject
) -> None:
    plan = plan_of(command, HOSTS[name], swarm)
    if isinstance(plan, Refusal):
        return
    complete, cut = swarm, swarm
    for step in plan.steps:
        complete = apply(step, plan.node, complete)
    for step in plan.steps[: data.draw(st.integers(0, len(plan.steps)))]:
        cut = apply(step, plan.node, cut)
    again = plan_of(command, HOSTS[name], cut)
    for step in again.steps if isinstance(again, NodePlan) else ():
        cut = apply(step, plan.node, cut)
    assert cut.nodes == complete.nodes
    last = plan_of(command, HOSTS[name], cut)
    assert isinstance(last, Refusal) or last.steps == ()


def test_a_removal_drains_demotes_leaves_and_removes() -> None:
    swarm = swarm_of(*(node(name, "manager") for name in ("connewitz", "tondi", "lausen")))
    plan = plan_of("remove", HOSTS["lausen"], swarm)
    assert isinstance(plan, NodePlan)
    kinds = [type(step).__name__ for step in plan.steps]
    assert kinds == ["SetAvailability", "WaitForTasks", "DemoteNode", "LeaveOnHost", "LeaveSwarm"]
    assert plan.quorum == Quorum(3, 1, 2, 0)


def test_a_node_that_is_down_is_only_taken_off_the_list() -> None:
    swarm = swarm_of(node("connewitz", "manager"), node("lausen", state="down"))
    plan = plan_of("remove", HOSTS["lausen"], swarm, has_shell=False)
    assert isinstance(plan, NodePlan)
    assert [type(step).__name__ for step in plan.steps] == ["SetAvailability", "LeaveSwarm"]
    (warning,) = [finding for finding in plan.findings if finding.check == "host"]
    assert (warning.level, warning.hint) == ("warn", "When it is back, run `docker swarm leave --force` on it.")


M = "manager"
ONE = (node("tondi", M), node("lausen"))
PENDING = (node("tondi", M), node("lausen", pending=True))
REFUSED: dict[str, tuple[str, str, tuple[Node, ...], str]] = {
    "last manager": ("demote", "tondi", ONE, "the last manager, so it can't be demoted"),
    "last manager to remove": ("remove", "tondi", ONE, "the last manager, so it can't be removed"),
    "only node": ("remove", "tondi", (node("tondi", M),), "tondi is the only node, so removing it would end the swarm"),
    "quorum": (
        "demote", "tondi", (node("tondi", M), node("lausen", M), node("pirita", M, "unreachable")),
        "the swarm would lose quorum without tondi: unreachable managers: pirita",
    ),
    "quorum, removal": (
        "remove", "tondi", (node("tondi", M), node("lausen", M), node("pirita", M, "unreachable")), "would lose quorum",
    ),
    "a worker that is down": ("promote", "lausen", (node("tondi", M), node("lausen", state="down")), "is Down"),
    "a manager that is down": (
        "promote", "lausen", (node("tondi", M), node("kaditz", M), node("pirita", M, "unreachable"), node("lausen")),
        "a manager is unreachable (pirita), and adding one now could cost the quorum",
    ),
    "pending, demote": ("demote", "lausen", PENDING, "waits to be accepted"),
    "pending, activate": ("activate", "lausen", PENDING, "waits to be accepted"),
    "no node": ("drain", "lausen", (node("tondi", M),), "lausen is not a node of the swarm"),
    "no swarm": ("drain", "lausen", (), "there is no swarm yet"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    command, host, nodes, words = REFUSED[name]
    plan = plan_of(command, HOSTS[host], swarm_of(*nodes))
    assert isinstance(plan, Refusal), plan
    assert words in plan.summary
    assert plan.hint or plan.next_commands


def test_a_manager_of_which_nothing_is_known_is_refused() -> None:
    swarm = replace(swarm_of(node("tondi", M)), problem="two swarms")
    plan = plan_of("demote", HOSTS["tondi"], swarm)
    assert isinstance(plan, Refusal)
    assert plan.summary == "the state of the swarm is unclear: two swarms"
    unreachable = replace(SwarmFacts(), unreachable=("tondi",))
    assert "no manager answers" in str(plan_of("demote", HOSTS["tondi"], unreachable))


def test_another_node_at_the_hosts_address_is_not_its_node() -> None:
    """A host that reports another node, or none, decides nothing about a node that the managers see as Ready."""
    swarm = swarm_of(node("tondi", M), node("lausen"))
    for membership in (SwarmMembership(), SwarmMembership("active", "id-other")):
        lying = replace(swarm, memberships={**swarm.memberships, "lausen": membership})
        plan = plan_of("drain", HOSTS["lausen"], lying)
        assert isinstance(plan, Refusal)
        assert "but lausen reports" in plan.summary


def test_two_nodes_at_the_address_of_a_host_that_is_down_are_not_guessed() -> None:
    old = replace(node("lausen", state="down"), id="id-old")
    plan = plan_of("remove", HOSTS["lausen"], swarm_of(node("tondi", M), node("lausen", state="down"), old))
    assert isinstance(plan, Refusal)
    assert plan.summary == "the managers list 2 nodes at lausen's address: id-lausen id-old"


def test_an_approval_is_bound_to_the_quorum_and_not_to_the_steps_that_are_left() -> None:
    three = swarm_of(*(node(name, M) for name in ("connewitz", "tondi", "lausen")))
    four = swarm_of(*three.nodes, node("pirita", M))
    drained = swarm_of(*three.nodes[:2], replace(three.nodes[2], availability="drain"))
    plans = [plan_of("remove", HOSTS["lausen"], swarm) for swarm in (three, four, drained)]
    first, other, rest = (plan.evidence for plan in plans if isinstance(plan, NodePlan))
    assert first == rest != other
