"""Test that written Specs contain only known keys with checked values, whatever a host returns."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.connectors import specs
from jobs.connectors.engine import Engine
from jobs.connectors.swarm_label import FENCE_LABEL
from jobs.errors import EngineRefused
from jobs.locking.fencing_token import FencingToken
from tests.support import hostile_engine
from tests.support.hostile_engine import honest, says

MARK = FencingToken(7, "k3fm9x2q", 1_795_440_000.0)
REAL: dict[str, Any] = {  # as an Engine 26.1 returns it, with an external CA and autolock
    "Name": "default",
    "Labels": {"team": "ops"},
    "Orchestration": {"TaskHistoryRetentionLimit": 5},
    "Raft": {
        "SnapshotInterval": 10000,
        "KeepOldSnapshots": 0,
        "LogEntriesForSlowFollowers": 500,
        "ElectionTick": 10,
        "HeartbeatTick": 1,
    },
    "Dispatcher": {"HeartbeatPeriod": 5_000_000_000},
    "CAConfig": {
        "NodeCertExpiry": 7_776_000_000_000_000,
        "ExternalCAs": [{"Protocol": "cfssl", "URL": "https://ca", "Options": {"a": "b"}, "CACert": "PEM"}],
        "SigningCACert": "PEM",
        "ForceRotate": 2,
    },
    "TaskDefaults": {"LogDriver": {"Name": "json-file", "Options": {"max-file": "10"}}},
    "EncryptionConfig": {"AutoLockManagers": True},
}
NODE = {"Name": "kaditz", "Labels": {"zone": "a"}, "Role": "worker", "Availability": "active"}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[hostile_engine.Fleet]:
    with hostile_engine.fleet_in(tmp_path) as fleet:
        yield fleet


def test_copies_a_real_spec_completely() -> None:
    assert specs.swarm_spec(REAL) == REAL
    assert specs.node_spec(NODE) == NODE


@pytest.mark.parametrize(
    ("spec", "built"),
    [
        (None, {}),
        ([1], {}),
        ({"Image": "alpine", "HostConfig": {"Privileged": True}}, {}),
        ({"Name": 1, "Labels": None, "Raft": [], "CAConfig": {"SigningCAKey": "x"}}, {"CAConfig": {}}),
        ({"Labels": {"a": "b", "c": 1, "d": {}}}, {"Labels": {"a": "b"}}),
        ({"Raft": {"ElectionTick": True, "HeartbeatTick": "1", "Other": 1}}, {"Raft": {}}),
        ({"CAConfig": {"ExternalCAs": ["x", {"URL": "u", "Cmd": "x"}]}}, {"CAConfig": {"ExternalCAs": [{"URL": "u"}]}}),
        ({"EncryptionConfig": {"AutoLockManagers": 1}}, {"EncryptionConfig": {}}),
    ],
)
def test_drops_unknown_keys_and_other_types(spec: Any, built: Any) -> None:
    assert specs.swarm_spec(spec) == built


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"Name": "n" * 5000}, "the swarm.Name has 5000 characters"),
        ({"Labels": {str(number): "x" for number in range(1001)}}, "the swarm.Labels has 1001 entries"),
        ({"Labels": {"a": "b" * 5000}}, "the swarm.Labels.a has 5000 characters"),
        ({"Raft": {"ElectionTick": -1}}, "the swarm.Raft.ElectionTick is -1"),
        ({"Raft": {"SnapshotInterval": 2**64}}, "the swarm.Raft.SnapshotInterval is 18446744073709551616"),
        ({"Dispatcher": {"HeartbeatPeriod": 2**63}}, "the swarm.Dispatcher.HeartbeatPeriod is "),
        ({"CAConfig": {"ExternalCAs": [{"Protocol": "\x1b]0;x"}]}}, "the swarm.CAConfig.ExternalCAs.0.Protocol is 0;x"),
    ],
)
def test_refuses_values_out_of_range(spec: Any, where: str) -> None:
    with pytest.raises(EngineRefused, match=rf"^{re.escape(where)}"):
        specs.swarm_spec(spec)
    with pytest.raises(EngineRefused, match=r"the node\.Role is owner"):
        specs.node_spec({"Role": "owner"})


def manager(fleet: hostile_engine.Fleet, path: str, document: Any) -> Engine:
    updates = {f"{path}/update": says(b"")}
    return Engine(fleet.engine("tondi", honest("tondi", manager=True, but={path: says(document), **updates})))


@pytest.mark.processes
def test_never_writes_back_a_managers_own_body(fleet: hostile_engine.Fleet) -> None:
    evil = {"Image": "alpine", "HostConfig": {"Privileged": True, "Binds": ["/:/host"]}}
    document = json.dumps({"Version": {"Index": 7}, "Spec": {**REAL, **evil}}).encode()
    manager(fleet, "/swarm", document).claim_token(MARK)
    expected = {**REAL, "Labels": {"team": "ops", FENCE_LABEL: " ".join(MARK.as_words)}}
    assert [json.loads(body) for body in fleet.bodies] == [expected]


@pytest.mark.processes
def test_builds_the_spec_of_a_node_from_known_keys(fleet: hostile_engine.Fleet) -> None:
    document = json.dumps({"Version": {"Index": 7}, "Spec": {**NODE, "Cmd": ["chroot", "/host"]}}).encode()
    engine = manager(fleet, "/nodes/abc", document)
    engine.change_node("abc", lambda spec: {**spec, "Role": "manager"})
    assert [json.loads(body) for body in fleet.bodies] == [{**NODE, "Role": "manager"}]
    engine.change_node("abc", lambda spec: spec)
    assert len(fleet.bodies) == 1, "no change, no write"


@pytest.mark.processes
@pytest.mark.parametrize("index", [-1, 2**64, "7&x=1", None, 7.5, True])
def test_never_puts_an_invalid_version_index_into_a_query(fleet: hostile_engine.Fleet, index: Any) -> None:
    document = json.dumps({"Version": {"Index": index}, "Spec": NODE}).encode()
    with pytest.raises(EngineRefused):
        manager(fleet, "/nodes/abc", document).change_node("abc", lambda spec: {**spec, "Role": "manager"})
    assert fleet.bodies == []


@pytest.mark.processes
@pytest.mark.parametrize("node", ["../containers/web", "../volumes/data", "x?force=1", "a/b", ".", "", "x" * 65])
def test_refuses_a_node_id_that_is_a_path(fleet: hostile_engine.Fleet, node: str) -> None:
    engine = Engine(fleet.engine("tondi", honest("tondi", manager=True)))
    before = list(fleet.requests)
    for call in (engine.remove_node, engine.tasks, lambda node_id: engine.change_node(node_id, lambda spec: spec)):
        with pytest.raises(EngineRefused, match="invalid node ID: "):
            call(node)
    assert fleet.requests == before


@pytest.mark.processes
@pytest.mark.parametrize("token", ["x", "SWMTKN-1-a\nb", "SWMTKN-" + "1" * 5000, 7])
def test_never_passes_on_an_invalid_join_token(fleet: hostile_engine.Fleet, token: Any) -> None:
    document = json.dumps({"JoinTokens": {"Worker": token}}).encode()
    with pytest.raises(EngineRefused, match="tondi returned no valid join token"):
        manager(fleet, "/swarm", document).worker_token()


@pytest.mark.processes
def test_removes_only_an_invalid_fencing_token_from_the_swarm(fleet: hostile_engine.Fleet) -> None:
    labels = {"team": "ops", FENCE_LABEL: "99999999999999999999 x 1.0"}
    document = json.dumps({"Version": {"Index": 7}, "Spec": {**REAL, "Labels": labels}}).encode()
    (removed,) = manager(fleet, "/swarm", document).repair_claim()
    assert removed == f"label {FENCE_LABEL} of the swarm: 99999999999999999999 x 1.0"
    assert [json.loads(body) for body in fleet.bodies] == [REAL]
    valid = json.dumps(
        {"Version": {"Index": 7}, "Spec": {**REAL, "Labels": {FENCE_LABEL: " ".join(MARK.as_words)}}}
    ).encode()
    assert manager(fleet, "/swarm", valid).repair_claim() == ()
    assert len(fleet.bodies) == 1
