"""Say what a drain moves, stops, and leaves: a table of workloads."""

from dataclasses import replace

import pytest

from jobs.facts.containers import Container
from jobs.facts.services.model import Placement, Resources, Service, ServiceFacts, Task, TaskNode
from jobs.facts.swarm import Node
from jobs.plan.workload import Workload, check_drain, describe_drain

GIB = 2**30


def listed(name: str, memory: int = 8 * GIB, **fields: object) -> TaskNode:
    node = Node(name, name, "198.18.0.1", "worker", "active", "ready", "", "26.1.5", False)
    return TaskNode(replace(node, **fields), resources=Resources(4 * 10**9, memory))  # type: ignore[arg-type]


def service(name: str, replicas: int | None = 2, **fields: object) -> Service:
    mode = "replicated" if replicas is not None else "global"
    return replace(Service(name, name, "nginx:1", mode, replicas), **fields)  # type: ignore[arg-type]


def reserving(memory: int) -> Placement:
    return Placement(reserved=Resources(memory=memory))


def tasks(**places: str) -> tuple[Task, ...]:
    """Return running tasks. `places`: the nodes of each service's tasks, such as web="a b"."""
    return tuple(
        Task(f"{name}{slot}", name, node, slot, "running", "running")
        for name, nodes in places.items()
        for slot, node in enumerate(nodes.split(), 1)
    )


def workload(services: tuple[Service, ...], running: tuple[Task, ...], *nodes: TaskNode) -> Workload:
    by_id = {each.id: each for each in services}
    reserved = tuple(replace(task, reserved=by_id[task.service].placement.reserved) for task in running)
    return Workload("a", ServiceFacts("m", services, reserved, nodes or (listed("a"), listed("b"))))


CASES: dict[str, tuple[Workload, dict[str, str]]] = {  # the warnings by check: words of each
    "nothing runs": (workload((), ()), {}),
    "another replica runs elsewhere": (workload((service("web"),), tasks(web="a b")), {}),
    "a single replica": (workload((service("db", 1),), tasks(db="a")), {"single replicas": "on another node: db"}),
    "all replicas are here": (workload((service("web"),), tasks(web="a a")), {"single replicas": "web"}),
    "a global service": (workload((service("agent", None),), tasks(agent="a b")), {}),
    "the last active node": (
        workload((service("web"),), tasks(web="a b"), listed("a"), listed("b", availability="drain")),
        {
            "active nodes": "is the last active node: all service tasks stop",
            "placement": "web does not fit on the other nodes: 1 of 1 nodes are not active",
        },
    ),
    "the only node": (
        workload((service("web"),), tasks(web="a"), listed("a")),
        {
            "active nodes": "last active", "single replicas": "web",
            "placement": "web does not fit on the other nodes: the swarm has no nodes",
        },
    ),
    "a constraint": (
        workload((service("db", 2, placement=Placement(("node.hostname==a",))),), tasks(db="a a")),
        {"single replicas": "db", "placement": "db does not fit on the other nodes: "},
    ),
    "memory that suffices": (
        workload((service("web", 3, placement=reserving(2 * GIB)),), tasks(web="a a b")), {},
    ),
    "memory overcommit": (
        workload((service("web", 4, placement=reserving(3 * GIB)),), tasks(web="a a b b")),
        {"placement": "a task reserves 3 GiB of memory; the most that is free is 2 GiB on b"},
    ),
    "memory overcommit by two services together": (
        workload(
            (service("web", 2, placement=reserving(3 * GIB)), service("api", 2, placement=reserving(3 * GIB))),
            tasks(web="a b", api="a b"),
        ),
        {"placement": "does not fit on the other nodes"},
    ),
    "a port of the host": (
        workload((service("web", 2, placement=Placement(host_ports=((80, "tcp"),))),),
                 tuple(replace(task, host_ports=((80, "tcp"),)) for task in tasks(web="a b"))),
        {"placement": "port 80/tcp is in use on 1 of 1 nodes"},
    ),
    "local data": (
        workload((service("db", 2, local_data=("db-data", "/srv/db")),), tasks(db="a b")),
        {"local data": "which does not move with their tasks: db (db-data, /srv/db)"},
    ),
    "the data of a service on other nodes": (workload((service("db", 1, local_data=("x",)),), tasks(db="b")), {}),
    "a task that has ended": (
        workload((service("db", 1),), (Task("1", "db", "a", 1, "failed", "shutdown"), *tasks(db="b"))), {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_warns_of_what_goes_down(name: str) -> None:
    given, expected = CASES[name]
    warnings = {finding.check: finding.text for finding in check_drain("a", given) if finding.level == "warn"}
    assert set(warnings) == set(expected), warnings
    for check, words in expected.items():
        assert words in warnings[check]
    assert all(finding.hint for finding in check_drain("a", given) if finding.level == "warn")


def test_lists_what_moves_and_what_stays() -> None:
    running = Container("portainer", "portainer", True, "always")
    stopped = Container("old", "busybox", False, "no")
    given = workload((service("web", 3), service("agent", None)), tasks(web="a a b", agent="a b"))
    assert describe_drain("a", replace(given, containers=(running, stopped))) == (
        "Tasks move to other nodes: web (2 tasks). Global services stop on it: agent. "
        "Not part of a service, so they keep running: portainer."
    )
    assert describe_drain("a", workload((), ())) == "No service task runs on it."
    assert "unreachable over SSH" in describe_drain("a", replace(given, containers=None))


def test_300_services_fit_into_one_finding() -> None:
    services = tuple(service(f"a-service-with-a-long-name-{number}", 1) for number in range(300))
    given = workload(services, tuple(Task(each.id, each.id, "a", 1, "running", "running") for each in services))
    assert len(describe_drain("a", given)) < 800
    assert all(len(finding.text) < 800 for finding in check_drain("a", given))
