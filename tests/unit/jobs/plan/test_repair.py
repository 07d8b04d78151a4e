"""Test when a plan repairs a manager's Engine without seeing the swarm, and that it does nothing else."""

import pytest

from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmFacts, SwarmMembership
from jobs.facts.swarm_agreement import KnownSwarm, find_silent_managers
from jobs.inventory.model import Host
from jobs.plan.model import Plan
from jobs.plan.repair import needs_repair, plan_repair
from jobs.steps import RestartEngine

A, B, C = Host("a", "198.18.0.1"), Host("b", "198.18.0.2"), Host("c", "10.0.0.3", swarm_address="198.18.0.3")
HOSTS = {"a": A, "b": B, "c": C}
NAMES_A = SwarmMembership("active", "n2", managers=(("n1", "198.18.0.1"),))
NAMES_C = SwarmMembership("active", "n2", managers=(("n3", "198.18.0.3"), ("n4", "203.0.113.9")))


@pytest.mark.parametrize(
    ("memberships", "known_managers", "expected"),
    [
        ({"b": NAMES_A}, (), ("a",)),
        ({"b": NAMES_C}, (), ("c",)),
        ({"a": SwarmMembership(), "b": NAMES_A}, (), ()),
        ({"b": SwarmMembership()}, ("a", "c", "gone"), ("a", "c")),
        ({"b": NAMES_A}, ("c",), ("a", "c")),
        ({"b": SwarmMembership()}, (), ()),
        ({}, (), ()),
    ],
)
def test_finds_the_managers_that_do_not_answer(
    memberships: dict[str, SwarmMembership], known_managers: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert find_silent_managers(HOSTS, memberships, KnownSwarm("c1", known_managers)) == expected


@pytest.mark.parametrize(
    ("engine", "silent", "expected"),
    [("", ("a",), True), ("26.1.5", ("a",), False), ("", ("b",), False), ("", (), False)],
)
def test_repairs_only_a_manager_whose_engine_is_down(engine: str, silent: tuple[str, ...], expected: bool) -> None:
    facts = HostFacts("a", engine_version=engine)
    assert needs_repair(A, facts, SwarmFacts(problem="only workers", silent_managers=silent)) is expected


def test_a_repair_has_the_steps_of_the_engine_and_a_warning() -> None:
    engine = Plan((RestartEngine("26.1.5", ("web",)),), target_version="26.1.5")
    plan = plan_repair(A, SwarmFacts(silent_managers=("a", "b")), engine, ())
    assert (plan.steps, plan.is_repair, plan.needs_acceptance) == (engine.steps, True, False)
    (finding,) = plan.findings
    assert finding.level == "warn"
    assert finding.text.endswith("no other manager can show the swarm (b: no answer)")
