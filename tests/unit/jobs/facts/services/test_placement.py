"""Laws of placement: how many further tasks fit, and where."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobs.facts.services.model import Placement, Resources, Task, TaskNode
from jobs.facts.services.placement import find_room
from tests.unit.jobs.facts.services.builders import GIB, node, placement, task

NAMES = tuple("abcde")
STATES = st.sampled_from(["ready", "down"])
nodes_of_a_swarm = st.lists(
    st.builds(
        lambda name, state, use, zone: node(name, state=state, availability=use, labels={"zone": zone}),
        st.sampled_from(NAMES), STATES, st.sampled_from(["active", "drain", "pause"]), st.sampled_from("xy"),
    ),
    unique_by=lambda each: each.node.id,
    max_size=5,
)  # fmt: skip
any_placement = st.builds(
    lambda constraints, memory, cpus, most, ports: Placement(
        tuple(constraints), (), most, Resources(cpus * 10**8, memory * GIB // 4), tuple(ports)
    ),
    st.lists(st.sampled_from(["node.labels.zone==x", "node.role==worker"]), max_size=2), st.integers(0, 20),
    st.integers(0, 25), st.integers(0, 3), st.lists(st.sampled_from([(80, "tcp"), (53, "udp")]), max_size=1),
)  # fmt: skip


def running_tasks(names: list[str], needs: Placement) -> list[Task]:
    return [
        task(name, slot, reserved=needs.reserved, host_ports=needs.host_ports) for slot, name in enumerate(names, 1)
    ]


@given(nodes_of_a_swarm, any_placement, st.lists(st.sampled_from(NAMES), max_size=4))
def test_no_more_nodes_fit_than_there_are(nodes: list[TaskNode], needs: Placement, names: list[str]) -> None:
    room = find_room("id-web", needs, nodes, running_tasks(names, needs))
    assert len(room.nodes) == len(nodes)
    assert len(room.fitting) <= len(nodes)
    assert all(each.node.takes_tasks for each in room.fitting)
    assert all(bool(each.obstacle) == (each.tasks == 0) for each in room.nodes), "each node without room has a reason"


@given(nodes_of_a_swarm, any_placement)
def test_each_task_takes_the_room_of_one(nodes: list[TaskNode], needs: Placement) -> None:
    room = find_room("id-web", needs, nodes, [])
    for chosen in room.fitting:
        placed = task(chosen.node.node.hostname, reserved=needs.reserved, host_ports=needs.host_ports)
        after = find_room("id-web", needs, nodes, [placed])
        remaining = {each.node.node.id: each.tasks for each in after.nodes}
        is_limited = needs.reserved.memory or needs.reserved.nano_cpus or needs.max_per_node or needs.host_ports
        assert remaining[chosen.node.node.id] == chosen.tasks - (1 if is_limited else 0)
        assert sum(remaining.values()) == room.tasks - (1 if is_limited else 0)


def obstacle(needs: Placement, tasks: list[Task], **fields: Any) -> str:
    (only,) = find_room("id-web", needs, [node("a", **fields)], tasks).nodes
    return f"{only.obstacle}: {only.detail}".rstrip(": ")


def test_names_the_first_obstacle() -> None:
    large = placement(reserved=Resources(memory=3 * GIB))
    assert obstacle(placement(), [], state="down") == "down: down"
    assert obstacle(placement(), [], availability="pause") == "not active: pause"
    assert obstacle(placement("node.role==manager"), []) == "constraint: node.role==manager"
    assert obstacle(placement(platforms=(("linux", "arm64"),)), []) == "platform: linux/x86_64"
    assert obstacle(large, [task("a", reserved=Resources(memory=2 * GIB))]) == "memory"
    assert obstacle(placement(reserved=Resources(3 * 10**9)), []) == "cpu"
    assert obstacle(placement(max_per_node=1), [task("a")]) == "max per node: 1"
    assert obstacle(placement(max_per_node=1), [task("a", service="id-other")]) == ""
    assert obstacle(placement(host_ports=((80, "tcp"),)), [task("a", host_ports=((80, "tcp"),))]) == "port: 80/tcp"


def test_tasks_that_ended_or_are_stopped_take_no_room() -> None:
    needs = placement(max_per_node=1)
    ended = [task("a", state="failed"), task("a", desired_state="shutdown"), replace(task("a"), node="")]
    assert obstacle(needs, ended) == ""
