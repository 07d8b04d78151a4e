"""Constraints match the nodes that the scheduler would choose."""

import pytest

from jobs.facts.services.constraints import is_valid_constraint, matches_constraint, matches_platform
from tests.unit.jobs.facts.services.builders import node

NODE = node("kaditz", role="manager", labels={"zone": "A", "ssd": "true"}, engine_labels={"rack": "4"})
MATCHES = {
    "node.role==manager": True, "node.role==worker": False, "node.role!=worker": True,
    "node.hostname==kaditz": True, "node.hostname == KADITZ": True, "node.hostname!=kaditz": False,
    "node.id==id-kaditz": True, "node.labels.zone==a": True, "node.labels.zone!=a": False,
    "node.labels.missing==a": False, "node.labels.missing!=a": True, "node.labels.ssd==true": True,
    "engine.labels.rack==4": True, "engine.labels.rack!=4": False, "node.platform.os==linux": True,
    "node.platform.arch==x86_64": True, "node.ip==198.18.0.9": True, "node.ip==198.18.0.0/24": True,
    "node.ip!=198.18.0.0/24": False, "node.ip==198.18.1.0/24": False, "node.ip==nonsense": False,
}  # fmt: skip
INVALID = ("node.role=manager", "role==manager", "node.label.zone==a", "", "==", "node.role==")


@pytest.mark.parametrize("text", MATCHES)
def test_matches_as_the_scheduler_does(text: str) -> None:
    assert is_valid_constraint(text)
    assert matches_constraint(NODE, text) is MATCHES[text]


@pytest.mark.parametrize("text", INVALID)
def test_a_constraint_that_cannot_be_read_matches_no_node(text: str) -> None:
    assert not is_valid_constraint(text)
    assert not matches_constraint(NODE, text)


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        ((), True),
        ((("linux", "amd64"),), True),
        ((("linux", "arm64"),), False),
        ((("linux", "arm64"), ("linux", "x86_64")), True),
        ((("windows", "amd64"),), False),
        ((("", ""),), True),
    ],
)
def test_one_of_the_platforms_has_to_match(platforms: tuple[tuple[str, str], ...], expected: bool) -> None:
    assert matches_platform(NODE, platforms) is expected
