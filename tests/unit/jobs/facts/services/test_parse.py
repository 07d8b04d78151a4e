"""Services and tasks are parsed from what a manager sends, and hostile documents are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.facts.services import parse
from jobs.facts.services.model import Resources, ServicePort, UpdateSettings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
REFUSED = (KeyError, TypeError, ValueError, AttributeError)  # those that the connector translates
SERVICE: dict[str, Any] = {
    "ID": "mo5xq2h3f1",
    "Version": {"Index": 42},
    "Spec": {
        "Name": "shop_web",
        "Labels": {"com.docker.stack.namespace": "shop"},
        "TaskTemplate": {
            "ContainerSpec": {"Image": f"nginx:1.27@sha256:{'a' * 64}", "Env": ["PASSWORD=hunter2"]},
            "Resources": {"Reservations": {"MemoryBytes": 2**30, "NanoCPUs": 5 * 10**8}},
            "Placement": {"Constraints": ["node.role==worker"], "MaxReplicas": 2,
                          "Platforms": [{"Architecture": "amd64", "OS": "linux"}]},
            "ForceUpdate": 3,
        },
        "Mode": {"Replicated": {"Replicas": 4}},
        "UpdateConfig": {"Parallelism": 2, "Delay": 10**10, "FailureAction": "rollback", "Order": "start-first"},
        "EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080, "PublishMode": "host"}]},
    },
    "PreviousSpec": {"Name": "shop_web"},
    "UpdateStatus": {"State": "paused", "Message": "update paused due to failure"},
    "ServiceStatus": {"RunningTasks": 3, "DesiredTasks": 4, "CompletedTasks": 0},
}  # fmt: skip
TASK: dict[str, Any] = {
    "ID": "t1", "ServiceID": "mo5xq2h3f1", "NodeID": "n1", "Slot": 2, "DesiredState": "shutdown",
    "Spec": {"ContainerSpec": {"Image": "nginx:1.27"}, "ForceUpdate": 3},
    "Status": {"State": "failed", "Timestamp": "2026-01-02T03:04:05.5Z", "Message": "started",
               "Err": "task: non-zero exit (137)", "ContainerStatus": {"ExitCode": 137}},
}  # fmt: skip


def test_reads_a_service() -> None:
    service = parse.parse_service(SERVICE)
    assert (service.name, service.stack, service.image) == ("shop_web", "shop", "nginx:1.27")
    assert (service.mode, service.replicas, service.running, service.desired) == ("replicated", 4, 3, 4)
    assert service.placement.reserved == Resources(5 * 10**8, 2**30)
    assert service.placement.host_ports == ((8080, "tcp"),)
    assert service.ports == (ServicePort(80, 8080, "tcp", "host"),)
    assert service.update == UpdateSettings(2, 10.0, "rollback", "start-first")
    assert (service.has_previous_spec, service.update_state, service.version) == (True, "paused", 42)
    assert "hunter2" not in repr(service)


def test_reads_a_task() -> None:
    task = parse.parse_task(TASK)
    assert (task.exit_code, task.slot, task.has_failed, task.at) == (137, 2, True, 1767323045.5)
    assert task.error == "task: non-zero exit (137)"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ({"Replicated": {"Replicas": 0}}, ("replicated", 0)),
        ({"Replicated": {}}, ("replicated", 1)),
        ({"Global": {}}, ("global", None)),
        ({"ReplicatedJob": {"TotalCompletions": 5, "MaxConcurrent": 2}}, ("replicated-job", 5)),
        ({"GlobalJob": {}}, ("global-job", None)),
        ({}, ("replicated", 1)),
    ],
)
def test_reads_each_mode(mode: dict[str, Any], expected: tuple[str, int | None]) -> None:
    service = parse.parse_service({**SERVICE, "Spec": {**SERVICE["Spec"], "Mode": mode}})
    assert (service.mode, service.replicas) == expected


@given(JSON, st.sampled_from(["ID", "Spec", "Version", "ServiceStatus", "UpdateStatus", "Endpoint"]))
def test_reads_or_refuses_any_service(value: Any, key: str) -> None:
    try:
        parse.parse_service({**SERVICE, key: value})
    except REFUSED:
        return


@given(JSON, st.sampled_from(["ID", "Spec", "Status", "Slot", "NodeID"]))
def test_reads_or_refuses_any_task(value: Any, key: str) -> None:
    try:
        parse.parse_task({**TASK, key: value})
    except REFUSED:
        return


@pytest.mark.parametrize("value", ["../nodes", "a b", "", None, 3, "a" * 65])
def test_refuses_an_id_that_is_none(value: Any) -> None:
    with pytest.raises(ValueError, match="invalid ID"):
        parse.parse_service({**SERVICE, "ID": value})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02T03:04:05Z", 1767323045.0),
        ("2026-01-02T05:04:05.25+02:00", 1767323045.25),
        ("0001-01-01T00:00:00Z", 0.0),
        ("yesterday", 0.0),
        (None, 0.0),
    ],
)
def test_reads_times(text: Any, seconds: float) -> None:
    assert parse.parse_time(text) == seconds
