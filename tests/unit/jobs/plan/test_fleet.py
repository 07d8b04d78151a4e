"""Test order, waves, roles, and quorum of a fleet plan: properties of any fleet, and some examples."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker.protocol.commands import Role
from imker.protocol.events import FleetPlanned
from imker.protocol.values import Finding, HostPlan
from jobs.facts import quorum
from jobs.facts.swarm import SwarmFacts
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal
from jobs.plan.fleet import (
    arrange_fleet,
    assign_roles,
    current_managers,
    find_deviation,
    order_hosts,
    other_managers,
)
from jobs.steps import DrainNode, InitSwarm, JoinSwarm, MarkPending, RestartEngine, UpgradeEngine, WaitForReady
from tests.support.planner_world import manager_node

NONE: frozenset[str] = frozenset()
TARGET = "26.1.5+dfsg1-9"
PACKAGES = (f"docker.io={TARGET}",)
UPGRADE = UpgradeEngine(PACKAGES, "26.1.5")
NOTHING = Plan((), target_version=TARGET)
WORKER = Plan((UPGRADE, JoinSwarm(False), WaitForReady()), target_version=TARGET)
WAITS = Plan((UPGRADE, JoinSwarm(True), MarkPending(), WaitForReady()), needs_acceptance=True, target_version=TARGET)
FIRST = Plan((UPGRADE, InitSwarm(), WaitForReady()), target_version=TARGET)
MEMBER = Plan((DrainNode("n"), UPGRADE, RestartEngine("26.1.5", ()), WaitForReady()), target_version=TARGET)
DRAINED_MEMBER = Plan((UPGRADE, RestartEngine("26.1.5", ()), WaitForReady()), target_version=TARGET)
ONLY_ASKS = Plan((), needs_acceptance=True, target_version=TARGET)
AWAY = Refusal("it does not answer over SSH", "See that it is up.")


@st.composite
def inventories(draw: st.DrawFn) -> list[Host]:
    """Draw any hosts: with shared or unknown servers, in the classic Swarm or not, with roles or without."""
    names = draw(st.lists(st.text("abcdefgh", min_size=1, max_size=3), unique=True, min_size=1, max_size=12))
    servers, discoveries = st.sampled_from(["", "s1", "s2", "s3", "s4"]), st.sampled_from(["", "consul://x"])
    role: st.SearchStrategy[Role] = st.sampled_from(["worker", "manager"]) if draw(st.booleans()) else st.just("worker")
    return [Host(name, server=draw(servers), discovery=draw(discoveries), role=draw(role)) for name in names]


def stores_of(hosts: list[Host], draw: st.DataObject) -> frozenset[str]:
    return frozenset(draw.draw(st.lists(st.sampled_from([host.name for host in hosts]), max_size=2)))


def plan_fleet_of(hosts: list[Host], swarm: SwarmFacts, stores: frozenset[str], draw: st.DataObject) -> FleetPlanned:
    """Plan the fleet, with any hosts in the swarm already."""
    roles_by_host = assign_roles(hosts, stores, NONE)
    ordered = order_hosts(hosts, roles_by_host, stores)
    plans: dict[str, Plan | Refusal] = {}
    exists = swarm.exists
    for host in ordered:
        fresh = (WAITS if exists else FIRST) if roles_by_host[host.name] == "manager" else WORKER
        there = [fresh, fresh, fresh, NOTHING, MEMBER, DRAINED_MEMBER]
        plans[host.name] = draw.draw(st.sampled_from(there if swarm.exists else [fresh]))
        exists = True
    return arrange_fleet(ordered, roles_by_host, plans, swarm, stores, 3)


# --- who becomes what ------------------------------------------------------------------------------------------------


@given(inventories())
def test_proposes_an_odd_number_of_managers_on_different_servers(hosts: list[Host]) -> None:
    proposed = assign_roles([replace(host, role="worker") for host in hosts], NONE, NONE)
    managers = [host for host in hosts if proposed[host.name] == "manager"]
    assert len(managers) in (1, 3)
    servers = [host.server for host in managers if host.server]
    assert len(servers) == len(set(servers))


@given(inventories())
def test_keeps_the_roles_of_the_inventory(hosts: list[Host]) -> None:
    named = {host.name: host.role for host in hosts}
    if "manager" in named.values():
        assert assign_roles(hosts, NONE, NONE) == named


@given(inventories(), st.data())
def test_proposes_the_current_managers_again(hosts: list[Host], draw: st.DataObject) -> None:
    """A migration cleans docker-machine's config and removes the store. The proposed roles must not change."""
    stores = stores_of(hosts, draw)
    before = assign_roles([replace(host, role="worker") for host in hosts], stores, NONE)
    managing = frozenset(name for name, role in before.items() if role == "manager")
    assert assign_roles([replace(host, role="worker", discovery="") for host in hosts], NONE, managing) == before


@pytest.mark.parametrize(
    ("hosts", "inside", "outside", "expected"),
    [
        ("abd", "ab", 1, "ab"),
        ("abd", "a", 1, "ab"),
        ("abd", "", 1, "ab"),
        ("abd", "", 2, "a"),
        ("abd", "", 3, ""),
        ("ab", "", 1, "ab"),
        ("a", "", 1, ""),
        ("abd", "abd", 0, "abd"),
        ("abd", "abd", 2, "abd"),
    ],
)
def test_counts_managers_that_are_left_out(hosts: str, inside: str, outside: int, expected: str) -> None:
    """`outside`: managers outside these hosts. There are three in total, and current managers stay managers."""
    matches = assign_roles([Host(name) for name in hosts], NONE, frozenset(inside), outside)
    assert "".join(name for name, role in matches.items() if role == "manager") == expected


def test_finds_the_current_managers_among_the_hosts() -> None:
    nodes = (
        manager_node("m0"),
        replace(manager_node("m1"), address="198.18.0.2"),
        replace(manager_node("p"), address="198.18.0.3"),
    )
    pending = replace(nodes[2], role="worker", manager_status="", pending=True)
    swarm = SwarmFacts("m0", (*nodes[:2], pending), ("m0",))
    hosts = [Host("m0", "198.18.0.9"), Host("a", "198.18.0.3"), Host("b", "198.18.0.4")]
    assert current_managers(hosts, swarm) == {"m0", "a"}
    assert other_managers(hosts, swarm) == 1


# --- in which order ---------------------------------------------------------------------------------------------------


@given(inventories(), st.data())
def test_orders_managers_before_workers_before_the_store_host(hosts: list[Host], draw: st.DataObject) -> None:
    stores = stores_of(hosts, draw)
    roles_by_host = assign_roles(hosts, stores, NONE)
    first, *rest = order_hosts(hosts, roles_by_host, stores)
    assert sorted([first.name, *(host.name for host in rest)]) == sorted(host.name for host in hosts)
    assert roles_by_host[first.name] == "manager", "without a swarm no worker could join"
    if any(roles_by_host[host.name] == "manager" and host.name not in stores for host in hosts):
        assert first.name not in stores
    assert [host.name in stores for host in rest] == sorted(host.name in stores for host in rest)
    for part in (True, False):
        roles_of_part = [roles_by_host[host.name] for host in rest if (host.name in stores) is part]
        assert roles_of_part == sorted(roles_of_part), "managers before workers"


def test_starts_a_fleet_whose_only_server_has_the_store() -> None:
    """Of two hosts, the one without the store becomes the manager, as the store host has to come last."""
    hosts = [Host("lausen"), Host("tondi", discovery="consul://lausen")]
    roles_by_host = assign_roles(hosts, frozenset({"lausen"}), NONE)
    assert roles_by_host == {"lausen": "worker", "tondi": "manager"}
    assert [host.name for host in order_hosts(hosts, roles_by_host, frozenset({"lausen"}))] == ["tondi", "lausen"]


def test_starts_with_the_only_manager_even_on_the_store_host() -> None:
    hosts = [Host("lausen", role="manager"), Host("tondi", discovery="consul://lausen")]
    assert [host.name for host in order_hosts(hosts, assign_roles(hosts, NONE, NONE), frozenset({"lausen"}))] == [
        "lausen",
        "tondi",
    ]


def test_starts_with_a_host_outside_the_classic_swarm() -> None:
    hosts = [Host("a", discovery="consul://x", role="manager"), Host("b", role="manager"), Host("c", role="manager")]
    assert [host.name for host in order_hosts(hosts, assign_roles(hosts, NONE, NONE), frozenset("c"))] == [
        "b",
        "a",
        "c",
    ]


def test_orders_the_leader_after_the_other_managers() -> None:
    hosts = [Host(name, role="manager" if name in "abc" else "worker") for name in "abcde"]
    assert "".join(host.name for host in order_hosts(hosts, assign_roles(hosts, NONE, NONE), NONE, "a")) == "bcade"


@given(inventories(), st.sampled_from([0, 1, 3]), st.data())
def test_only_hosts_that_join_share_a_wave(hosts: list[Host], managers: int, draw: st.DataObject) -> None:
    """The canary, each store host, and each node that is upgraded have a separate wave."""
    stores = stores_of(hosts, draw)
    legs = plan_fleet_of(hosts, swarm_of(managers), stores, draw).host_plans
    waves = [leg.wave for leg in legs]
    assert waves == sorted(waves)
    assert sorted(set(waves)) == list(range(len(set(waves)))), "none is left out"
    for wave in set(waves):
        of_wave = [leg for leg in legs if leg.wave == wave]
        if len(of_wave) > 1:
            assert wave > 0
            assert all(leg.joins and leg.host not in stores for leg in of_wave)


@given(inventories(), st.data())
def test_neighbours_that_join_share_a_wave_whatever_their_role(hosts: list[Host], draw: st.DataObject) -> None:
    stores = stores_of(hosts, draw)
    legs = plan_fleet_of(hosts, swarm_of(0), stores, draw).host_plans
    for number in range(2, len(legs)):
        if not {legs[number - 1].host, legs[number].host} & stores:
            assert legs[number - 1].wave == legs[number].wave


@given(inventories(), st.data())
def test_downloads_ahead_on_every_host_that_upgrades_except_the_canary(hosts: list[Host], draw: st.DataObject) -> None:
    legs = plan_fleet_of(hosts, swarm_of(0), NONE, draw).host_plans
    assert all(leg.packages == (PACKAGES if leg.wave else ()) for leg in legs)


WAVES: list[tuple[str, dict[str, Plan], dict[str, int]]] = [
    ("members go one at a time", {"a": MEMBER, "b": MEMBER, "c": WORKER}, {"a": 0, "b": 1, "c": 2}),
    ("a drained member too", {"a": WORKER, "b": DRAINED_MEMBER, "c": WORKER}, {"a": 0, "b": 1, "c": 2}),
    ("the canary is alone", {"a": WORKER, "b": WORKER, "c": WORKER}, {"a": 0, "b": 1, "c": 1}),
    ("a host that only waits shares a wave", {"a": WORKER, "b": WORKER, "c": ONLY_ASKS}, {"a": 0, "b": 1, "c": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("title", "plans", "waves"), WAVES, ids=[title for title, _, _ in WAVES])
def test_waves(title: str, plans: dict[str, Plan], waves: dict[str, int]) -> None:
    hosts = [Host("m", role="manager"), *(Host(name) for name in "abc")]
    fleet_plan = arrange_fleet(hosts, assign_roles(hosts, NONE, NONE), {"m": NOTHING, **plans}, swarm_of(1), NONE, 2)
    assert {leg.host: leg.wave for leg in fleet_plan.host_plans} == waves


def test_upgrades_the_managers_of_a_swarm_one_by_one_and_the_leader_last() -> None:
    hosts = [*(Host(name, role="manager") for name in "abc"), Host("d"), Host("e")]
    ordered = order_hosts(hosts, assign_roles(hosts, NONE, NONE), NONE, "a")
    plans = {**dict.fromkeys("abc", MEMBER), "d": WORKER, "e": WORKER}
    fleet_plan = arrange_fleet(ordered, assign_roles(hosts, NONE, NONE), plans, swarm_of(3), NONE, 8)
    assert [(leg.host, leg.wave) for leg in fleet_plan.host_plans] == [("b", 0), ("c", 1), ("a", 2), ("d", 3), ("e", 3)]


# --- what the swarm survives -----------------------------------------------------------------------------------------


def swarm_of(managers: int) -> SwarmFacts:
    nodes = tuple(manager_node(f"m{number}", leader=not number) for number in range(managers))
    return SwarmFacts("m0" if managers else "", nodes, tuple(node.hostname for node in nodes))


@given(inventories(), st.integers(0, 5), st.data())
def test_each_host_plan_has_the_fault_tolerance_after_it(hosts: list[Host], there: int, draw: st.DataObject) -> None:
    legs = plan_fleet_of(hosts, swarm_of(there), stores_of(hosts, draw), draw).host_plans
    managers = there
    for leg in legs:
        managers += leg.role == "manager" and leg.joins
        assert leg.tolerance == quorum.describe_tolerance(managers)


@given(inventories(), st.data())
def test_every_host_has_a_plan_or_is_done(hosts: list[Host], draw: st.DataObject) -> None:
    fleet_plan = plan_fleet_of(hosts, swarm_of(3), stores_of(hosts, draw), draw)
    assert sorted([*(leg.host for leg in fleet_plan.host_plans), *fleet_plan.done_hosts]) == sorted(
        host.name for host in hosts
    )
    assert all(leg.step_count for leg in fleet_plan.host_plans)


THE_EIGHT = [
    Host("connewitz", server="server-1", role="manager"),
    Host("tondi", server="server-2", role="manager", discovery="consul://lausen"),
    Host("kaditz", server="server-3", role="manager", discovery="consul://lausen"),
    Host("lausen", server="server-1"),
    *(Host(name, discovery="consul://lausen") for name in ("lindenau", "miltitz", "pirita", "tolkewitz")),
]


def test_plans_the_eight_hosts_of_the_documentation() -> None:
    roles_by_host = assign_roles(THE_EIGHT, frozenset({"lausen"}), NONE)
    ordered = order_hosts(THE_EIGHT, roles_by_host, frozenset({"lausen"}))
    plans = {host.name: WAITS if roles_by_host[host.name] == "manager" else WORKER for host in ordered}
    fleet_plan = arrange_fleet(
        ordered, roles_by_host, {**plans, "connewitz": FIRST}, SwarmFacts(), frozenset({"lausen"}), 2
    )
    assert [(leg.host, leg.wave, leg.tolerance) for leg in fleet_plan.host_plans] == [
        ("connewitz", 0, "1 manager (survives no loss)"),
        ("kaditz", 1, "2 managers (survives no loss; an even number is no safer than 1, so add one)"),
        ("tondi", 1, "3 managers (survives the loss of 1)"),
        ("lindenau", 1, "3 managers (survives the loss of 1)"),
        ("miltitz", 1, "3 managers (survives the loss of 1)"),
        ("pirita", 1, "3 managers (survives the loss of 1)"),
        ("tolkewitz", 1, "3 managers (survives the loss of 1)"),
        ("lausen", 2, "3 managers (survives the loss of 1)"),
    ]
    assert fleet_plan.findings == ()


# --- findings ---------------------------------------------------------------------------------------------------------


def arrange_hosts(hosts: list[Host], **plans: Plan | Refusal) -> FleetPlanned:
    roles_by_host = assign_roles(hosts, NONE, NONE)
    plans_by_host: dict[str, Plan | Refusal] = {host.name: WORKER for host in hosts}
    return arrange_fleet(hosts, roles_by_host, {**plans_by_host, **plans}, SwarmFacts(), frozenset(), 2)


def named(*servers: str) -> list[Host]:
    role: Role = "manager"
    return [Host(f"m{number}", server=server, role=role) for number, server in enumerate(servers)]


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        (("s1", "s2", "s3"), []),
        (("", "", ""), []),
        (("s1", "s2"), ["2 managers survive no more failures than 1"]),
        (("s1", "s1", "s2"), ["more than one manager on s1; they would fail together"]),
        (("s1", "s1"), ["2 managers survive no more failures than 1", "more than one manager on s1"]),
    ],
)
def test_warns_of_an_even_number_and_of_shared_servers(servers: tuple[str, ...], words: list[str]) -> None:
    matches = arrange_hosts(named(*servers)).findings
    assert [finding.level for finding in matches] == ["warn"] * len(words)
    assert all(finding.text.startswith(text) for finding, text in zip(matches, words, strict=True))


def test_counts_a_left_out_manager_for_the_even_number() -> None:
    hosts = named("s1", "s2")
    roles_by_host = assign_roles(hosts, NONE, NONE)
    nodes = tuple(manager_node(name) for name in ("m0", "m1", "left-out"))
    swarm = SwarmFacts("m0", nodes, ("m0", "m1"))
    assert arrange_fleet(hosts, roles_by_host, dict.fromkeys(roles_by_host, NOTHING), swarm, NONE, 2).findings == ()


def test_blocks_a_fleet_with_different_engine_versions() -> None:
    other = replace(WORKER, target_version="27.0.1-1")
    (matches,) = arrange_hosts([*named("s1"), Host("a"), Host("b")], b=other).findings
    assert matches.level == "block"
    assert matches.text == "apt offers different Engine versions: 26.1.5 on 2 hosts, 27.0.1 on 1 host"


def test_recognizes_the_same_version_in_different_packages() -> None:
    assert (
        arrange_hosts([*named("s1"), Host("a")], a=replace(WORKER, target_version="5:26.1.5-1~ubuntu")).findings == ()
    )


def test_a_host_that_cannot_be_planned_blocks() -> None:
    legs = {leg.host: leg for leg in arrange_hosts([*named("s1"), Host("a")], a=AWAY).host_plans}
    assert legs["a"].findings == (Finding("plan", "block", AWAY.summary, AWAY.hint),)
    assert legs["a"].step_count == 0


def test_a_host_plan_has_its_warnings_and_their_fingerprint() -> None:
    warn, passed = Finding("disk", "warn", "less than 2 GB left", "Make room."), Finding("clock", "pass", "agrees")
    with_findings = replace(WORKER, findings=(passed, warn))
    legs = {leg.host: leg for leg in arrange_hosts([*named("s1"), Host("a")], a=with_findings).host_plans}
    assert legs["a"].findings == (warn,)
    assert legs["a"].warnings_fingerprint == with_findings.warnings_fingerprint != WORKER.warnings_fingerprint


STARTED = FleetPlanned(
    (
        HostPlan("first", "manager", 3, 0, "", joins=True),
        HostPlan("joins", "manager", 3, 1, "", joins=True),
        HostPlan("member", "manager", 3, 2, "", joins=False),
    )
)


@pytest.mark.parametrize(
    ("host", "plan", "problem"),
    [
        ("first", FIRST, ""),
        ("joins", WAITS, ""),
        ("joins", ONLY_ASKS, ""),
        ("joins", Plan((MarkPending(), WaitForReady()), needs_acceptance=True), ""),  # what an interrupted run left
        ("joins", NOTHING, ""),
        ("member", MEMBER, ""),
        ("joins", FIRST, "there is no swarm now, and the fleet's plan was that joins joins one"),
        ("member", FIRST, "there is no swarm now, and the fleet's plan was that member joins one"),
        ("joins", MEMBER, "joins is a node of the swarm now, which the fleet's plan did not show"),
        ("joins", DRAINED_MEMBER, "joins is a node of the swarm now, which the fleet's plan did not show"),
        ("another", WORKER, "the fleet's plan does not include another"),
    ],
)
def test_refuses_what_the_start_of_the_fleet_did_not_approve(host: str, plan: Plan, problem: str) -> None:
    deviation = find_deviation(STARTED, host, plan)
    assert (deviation.summary if deviation else "") == problem
