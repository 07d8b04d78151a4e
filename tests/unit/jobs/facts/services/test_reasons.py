"""Why tasks do not run is said in words, with Docker's own text beside it."""

import pytest

from jobs.facts.services.model import Resources, Service, ServiceFacts, Task
from jobs.facts.services.reasons import Why, explain_error, explain_service, placement_reasons
from tests.unit.jobs.facts.services.builders import GIB, node, placement, service, task

WORDS = {
    "No such image: nosuch:1": "image nginx:1.11 was not found",
    "manifest for nginx:9 not found: manifest unknown: manifest unknown": "image nginx:1.11 was not found",
    "pull access denied for shop, repository does not exist or may require 'docker login'": (
        "the registry denies access to nginx:1.11"
    ),
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host': "image nginx:1.11 "
    "could not be pulled: the registry is unreachable",
    "host-mode port already in use on 2 nodes": "a published port is in use already",
    "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated": "a "
    "published port is in use already",
    "task: non-zero exit (137)": "the container exits with code 137 (killed, often because it is out of memory)",
    "task: non-zero exit (3)": "the container exits with code 3",
    "task: non-zero exit (1): dockerexec: unhealthy container": "the health check fails",
    'invalid mount config for type "bind": bind source path does not exist: /data': (
        "a mounted folder does not exist on the node"
    ),
    'starting container failed: exec: "/run": executable file not found in $PATH': "the command was not found in the "
    "image",
    "network shop_net not found": "a network was not found",
    "write /var/lib/docker: no space left on device": "the node's disk is full",
    "something new": "",
}


@pytest.mark.parametrize("error", WORDS)
def test_says_what_an_error_of_docker_means(error: str) -> None:
    assert explain_error(error, "nginx:1.11") == WORDS[error]


def explain(tasks: list[Task], about: Service | None = None, nodes: int = 3, **fields: object) -> tuple[Why, ...]:
    chosen = about or service(running=0)
    names = ("kaditz", "lausen", "tondi", *(f"extra{number}" for number in range(nodes - 3)))
    return explain_service(chosen, ServiceFacts("tondi", (chosen,), tuple(tasks), tuple(map(node, names[:nodes]))))


def test_counts_how_often_a_container_ends() -> None:
    crashes = [
        task("tondi", 1, "failed", desired_state="shutdown", error="task: non-zero exit (1)", at=float(at))
        for at in range(6)
    ]
    (why,) = explain([*crashes, task("", 1, "ready", desired_state="ready", at=7.0)])
    assert why == Why("the container exits with code 1, 6 times", "task: non-zero exit (1)", 6)


def test_old_failures_of_a_task_that_runs_now_are_no_reason() -> None:
    failed = task("tondi", 1, "failed", desired_state="shutdown", error="task: non-zero exit (1)")
    assert explain([failed, task("tondi", 1, at=2.0)]) == ()


def test_failures_of_older_settings_count_only_without_newer_ones() -> None:
    old = task("tondi", 1, "failed", desired_state="shutdown", error="No such image: a", image="a", at=1.0)
    new = task("tondi", 1, "rejected", error="No such image: nginx:1.11", at=2.0)
    (why,) = explain([old, new])
    assert why.text == "image nginx:1.11 was not found"


def test_waiting_tasks_have_the_reason_of_their_placement() -> None:
    about = service(placement=placement("node.labels.zone==a"), running=0)
    waiting = task("", 1, "pending", error="no suitable node (scheduling constraints not satisfied on 8 nodes)")
    (why,) = explain([waiting], about, nodes=8)
    assert why.text == "no node fits: constraint node.labels.zone==a matches 0 of 8 nodes"
    assert why.docker_text == "no suitable node (scheduling constraints not satisfied on 8 nodes)"


def test_a_failure_comes_before_tasks_that_were_just_created() -> None:
    failed = task("tondi", 1, "rejected", error="No such image: nginx:1.11")
    created = [task("", slot, "new") for slot in (2, 3)]
    texts = [why.text for why in explain([failed, *created], service(replicas=3, running=0), nodes=3)]
    assert texts == ["image nginx:1.11 was not found", "waiting for a node"]


def test_placement_reasons_name_numbers() -> None:
    nodes = (node("a"), node("b", availability="drain"), node("c", state="down"))
    facts = ServiceFacts("a", (), (task("a", reserved=Resources(memory=3 * GIB)),), nodes)
    assert placement_reasons("", placement(reserved=Resources(memory=2 * GIB)), facts) == (
        "a task reserves 2 GiB of memory; the most that is free is 1 GiB on a",
        "1 of 3 nodes are not active",
        "1 of 3 nodes are not ready",
    )
    assert placement_reasons("", placement(), facts) == (), "one fits"
    assert placement_reasons("", placement(), ServiceFacts("a", ())) == ("the swarm has no nodes",)


def test_a_global_service_without_a_node_says_why() -> None:
    about = service(mode="global", placement=placement("node.role==manager"), running=0, desired=0)
    (why,) = explain([], about)
    assert why.text == "constraint node.role==manager matches 0 of 3 nodes"
