"""A fleet's order, waves, roles and arithmetic: laws over any fleet, and the words of a few."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import quorum
from jobs.contract import Finding, FleetPlanned, Role
from jobs.facts import SwarmFacts
from jobs.fleet import arrange, managing, order, outside, roles
from jobs.inventory import Host
from jobs.plan import Plan, Refusal
from jobs.steps import CheckNode, DrainNode, InitSwarm, JoinSwarm, MarkPending
from tests.jobs.world import manager

NONE: frozenset[str] = frozenset()
TARGET = "26.1.5+dfsg1-9"
NOTHING, WORKER = Plan((), target=TARGET), Plan((JoinSwarm(False), CheckNode()), target=TARGET)
WAITS = Plan((JoinSwarm(True), MarkPending(), CheckNode()), waits=True, target=TARGET)
FIRST = Plan((InitSwarm(), CheckNode()), target=TARGET)
AWAY = Refusal("it does not answer over SSH", "See that it is up.")


@st.composite
def inventories(draw: st.DrawFn) -> list[Host]:
    """Any, with servers shared or not known, in the old swarm or not, with roles named or not."""
    names = draw(st.lists(st.text("abcdefgh", min_size=1, max_size=3), unique=True, min_size=1, max_size=12))
    servers, discoveries = st.sampled_from(["", "s1", "s2", "s3", "s4"]), st.sampled_from(["", "consul://x"])
    role: st.SearchStrategy[Role] = st.sampled_from(["worker", "manager"]) if draw(st.booleans()) else st.just("worker")
    return [Host(name, server=draw(servers), discovery=draw(discoveries), role=draw(role)) for name in names]


def stores_of(hosts: list[Host], draw: st.DataObject) -> frozenset[str]:
    return frozenset(draw.draw(st.lists(st.sampled_from([host.name for host in hosts]), max_size=2)))


def planned(hosts: list[Host], swarm: SwarmFacts, stores: frozenset[str], given_: st.DataObject) -> FleetPlanned:
    """Any of them in the swarm already, or of the role that is left to it."""
    wanted = roles(hosts, stores, NONE)
    ordered = order(hosts, wanted, stores)
    plans: dict[str, Plan | Refusal] = {}
    exists = swarm.exists
    for host in ordered:
        fresh = (WAITS if exists else FIRST) if wanted[host.name] == "manager" else WORKER
        plans[host.name] = given_.draw(st.sampled_from([fresh, fresh, fresh, NOTHING] if swarm.exists else [fresh]))
        exists = True
    return arrange(ordered, wanted, plans, swarm, stores, 3)


# --- who becomes what ------------------------------------------------------------------------------------------------


@given(inventories())
def test_proposed_managers_are_odd_in_number_three_at_most_and_each_on_a_server_of_its_own(hosts: list[Host]) -> None:
    proposed = roles([replace(host, role="worker") for host in hosts], NONE, NONE)
    managers = [host for host in hosts if proposed[host.name] == "manager"]
    assert len(managers) in (1, 3)
    servers = [host.server for host in managers if host.server]
    assert len(servers) == len(set(servers))


@given(inventories())
def test_roles_that_are_named_are_kept(hosts: list[Host]) -> None:
    named = {host.name: host.role for host in hosts}
    if "manager" in named.values():
        assert roles(hosts, NONE, NONE) == named


@given(inventories(), st.data())
def test_who_manages_already_is_proposed_again_when_nothing_tells_the_hosts_apart_any_more(
    hosts: list[Host], draw: st.DataObject
) -> None:
    """A migration cleans what docker-machine knew of the old swarm, and removes the store; the roles stay."""
    stores = stores_of(hosts, draw)
    before = roles([replace(host, role="worker") for host in hosts], stores, NONE)
    managing = frozenset(name for name, role in before.items() if role == "manager")
    assert roles([replace(host, role="worker", discovery="") for host in hosts], NONE, managing) == before


@pytest.mark.parametrize(
    ("hosts", "inside", "besides", "wanted"),
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
def test_managers_that_are_left_out_this_time_count(hosts: str, inside: str, besides: int, wanted: str) -> None:
    """`besides`: managers that are none of these hosts. Three in all; who is one stays one."""
    found = roles([Host(name) for name in hosts], NONE, frozenset(inside), besides)
    assert "".join(name for name, role in found.items() if role == "manager") == wanted


def test_who_of_a_swarm_is_among_the_hosts() -> None:
    nodes = (manager("m0"), replace(manager("m1"), address="198.18.0.2"), replace(manager("p"), address="198.18.0.3"))
    pending = replace(nodes[2], role="worker", manager="", pending=True)
    swarm = SwarmFacts("m0", (*nodes[:2], pending), ("m0",))
    hosts = [Host("m0", "198.18.0.9"), Host("a", "198.18.0.3"), Host("b", "198.18.0.4")]
    assert managing(hosts, swarm) == {"m0", "a"}
    assert outside(hosts, swarm) == 1


# --- in which order ---------------------------------------------------------------------------------------------------


@given(inventories(), st.data())
def test_the_order_has_everyone_once_a_manager_first_then_managers_then_workers_and_the_stores_host_last(
    hosts: list[Host], draw: st.DataObject
) -> None:
    stores = stores_of(hosts, draw)
    wanted = roles(hosts, stores, NONE)
    first, *rest = order(hosts, wanted, stores)
    assert sorted([first.name, *(host.name for host in rest)]) == sorted(host.name for host in hosts)
    assert wanted[first.name] == "manager", "without a swarm no worker could join"
    if any(wanted[host.name] == "manager" and host.name not in stores for host in hosts):
        assert first.name not in stores
    assert [host.name in stores for host in rest] == sorted(host.name in stores for host in rest)
    for part in (True, False):
        own = [wanted[host.name] for host in rest if (host.name in stores) is part]
        assert own == sorted(own), "managers before workers"


def test_a_fleet_whose_one_server_has_the_store_begins_all_the_same() -> None:
    """Of two hosts one is to be the manager: not the store's, which has to come last."""
    hosts = [Host("lausen"), Host("tondi", discovery="consul://lausen")]
    wanted = roles(hosts, frozenset({"lausen"}), NONE)
    assert wanted == {"lausen": "worker", "tondi": "manager"}
    assert [host.name for host in order(hosts, wanted, frozenset({"lausen"}))] == ["tondi", "lausen"]


def test_a_stores_host_that_is_to_be_the_only_manager_goes_first() -> None:
    hosts = [Host("lausen", role="manager"), Host("tondi", discovery="consul://lausen")]
    assert [host.name for host in order(hosts, roles(hosts, NONE, NONE), frozenset({"lausen"}))] == ["lausen", "tondi"]


def test_who_was_in_no_old_swarm_has_the_least_to_lose_and_goes_first() -> None:
    hosts = [Host("a", discovery="consul://x", role="manager"), Host("b", role="manager"), Host("c", role="manager")]
    assert [host.name for host in order(hosts, roles(hosts, NONE, NONE), frozenset("c"))] == ["b", "a", "c"]


def test_a_swarms_leader_goes_last_of_its_managers_and_before_the_workers() -> None:
    hosts = [Host(name, role="manager" if name in "abc" else "worker") for name in "abcde"]
    assert "".join(host.name for host in order(hosts, roles(hosts, NONE, NONE), NONE, "a")) == "bcade"


@given(inventories(), st.booleans(), st.data())
def test_waves(hosts: list[Host], exists: bool, draw: st.DataObject) -> None:
    """The canary is alone, so is each manager and each store's host; of one wave are workers only."""
    stores = stores_of(hosts, draw)
    legs = planned(hosts, swarm_of(1 if exists else 0), stores, draw).legs
    waves = [leg.wave for leg in legs]
    assert waves == sorted(waves)
    assert sorted(set(waves)) == list(range(len(set(waves)))), "none is left out"
    for wave in set(waves):
        own = [leg for leg in legs if leg.wave == wave]
        if len(own) > 1:
            assert wave > 0
            assert all(leg.role == "worker" and leg.host not in stores for leg in own)


@given(inventories(), st.data())
def test_workers_in_a_row_are_one_wave(hosts: list[Host], draw: st.DataObject) -> None:
    stores = stores_of(hosts, draw)
    legs = planned(hosts, swarm_of(0), stores, draw).legs
    together = [leg.role == "worker" and leg.host not in stores for leg in legs]
    for number in range(2, len(legs)):
        if together[number - 1] and together[number]:
            assert legs[number - 1].wave == legs[number].wave


def test_workers_that_are_in_the_swarm_already_are_upgraded_one_by_one() -> None:
    hosts = [Host("m", role="manager"), *(Host(name) for name in "abc")]
    upgraded = Plan((DrainNode("n"), CheckNode()), target=TARGET)
    plans = {"m": NOTHING, "a": upgraded, "b": upgraded, "c": WORKER}
    made = arrange(hosts, roles(hosts, NONE, NONE), plans, swarm_of(1), NONE, 2)
    assert [(leg.host, leg.wave) for leg in made.legs] == [("a", 0), ("b", 1), ("c", 2)]


# --- what the swarm survives -----------------------------------------------------------------------------------------


def swarm_of(managers: int) -> SwarmFacts:
    nodes = tuple(manager(f"m{number}", leader=not number) for number in range(managers))
    return SwarmFacts("m0" if managers else "", nodes, tuple(node.hostname for node in nodes))


@given(inventories(), st.integers(0, 5), st.data())
def test_each_leg_says_what_the_swarm_survives_after_it(hosts: list[Host], there: int, draw: st.DataObject) -> None:
    legs = planned(hosts, swarm_of(there), stores_of(hosts, draw), draw).legs
    managers = there
    for leg in legs:
        managers += leg.role == "manager"
        assert leg.survives == quorum.survives(managers)


@given(inventories(), st.data())
def test_every_host_is_a_leg_or_done(hosts: list[Host], draw: st.DataObject) -> None:
    made = planned(hosts, swarm_of(3), stores_of(hosts, draw), draw)
    assert sorted([*(leg.host for leg in made.legs), *made.done]) == sorted(host.name for host in hosts)
    assert all(leg.steps for leg in made.legs)


THE_EIGHT = [
    Host("connewitz", server="server-1", role="manager"),
    Host("tondi", server="server-2", role="manager", discovery="consul://lausen"),
    Host("kaditz", server="server-3", role="manager", discovery="consul://lausen"),
    Host("lausen", server="server-1"),
    *(Host(name, discovery="consul://lausen") for name in ("lindenau", "miltitz", "pirita", "tolkewitz")),
]


def test_the_write_ups_eight_hosts() -> None:
    wanted = roles(THE_EIGHT, frozenset({"lausen"}), NONE)
    ordered = order(THE_EIGHT, wanted, frozenset({"lausen"}))
    plans = {host.name: WAITS if wanted[host.name] == "manager" else WORKER for host in ordered}
    made = arrange(ordered, wanted, {**plans, "connewitz": FIRST}, SwarmFacts(), frozenset({"lausen"}), 2)
    assert [(leg.host, leg.wave, leg.survives) for leg in made.legs] == [
        ("connewitz", 0, "1 manager: none may fail"),
        ("kaditz", 1, "2 managers: none may fail (an even number is no safer than 1; add one)"),
        ("tondi", 2, "3 managers: 1 may fail"),
        ("lindenau", 3, "3 managers: 1 may fail"),
        ("miltitz", 3, "3 managers: 1 may fail"),
        ("pirita", 3, "3 managers: 1 may fail"),
        ("tolkewitz", 3, "3 managers: 1 may fail"),
        ("lausen", 4, "3 managers: 1 may fail"),
    ]
    assert made.findings == ()


# --- findings ---------------------------------------------------------------------------------------------------------


def arranged(hosts: list[Host], **plans: Plan | Refusal) -> FleetPlanned:
    wanted = roles(hosts, NONE, NONE)
    made: dict[str, Plan | Refusal] = {host.name: WORKER for host in hosts}
    return arrange(hosts, wanted, {**made, **plans}, SwarmFacts(), frozenset(), 2)


def named(*servers: str) -> list[Host]:
    role: Role = "manager"
    return [Host(f"m{number}", server=server, role=role) for number, server in enumerate(servers)]


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        (("s1", "s2", "s3"), []),
        (("", "", ""), []),
        (("s1", "s2"), ["2 managers: an even number survives no more than 1"]),
        (("s1", "s1", "s2"), ["more than one manager on s1: they fail together"]),
        (("s1", "s1"), ["2 managers: an even number survives no more than 1", "more than one manager on s1"]),
    ],
)
def test_managers_that_are_even_in_number_or_share_a_server_are_told(
    servers: tuple[str, ...], words: list[str]
) -> None:
    found = arranged(named(*servers)).findings
    assert [finding.level for finding in found] == ["warn"] * len(words)
    assert all(finding.text.startswith(text) for finding, text in zip(found, words, strict=True))


def test_a_manager_that_is_left_out_counts_among_them() -> None:
    hosts = named("s1", "s2")
    wanted = roles(hosts, NONE, NONE)
    nodes = tuple(manager(name) for name in ("m0", "m1", "left-out"))
    swarm = SwarmFacts("m0", nodes, ("m0", "m1"))
    assert arrange(hosts, wanted, dict.fromkeys(wanted, NOTHING), swarm, NONE, 2).findings == ()


def test_one_version_before_the_first_host_is_touched() -> None:
    other = replace(WORKER, target="27.0.1-1")
    (found,) = arranged([*named("s1"), Host("a"), Host("b")], b=other).findings
    assert found.level == "block"
    assert found.text == "apt would bring different Engines: 26.1.5 on 2, 27.0.1 on 1"


def test_the_same_engine_in_two_packages_words_is_one_version() -> None:
    assert arranged([*named("s1"), Host("a")], a=replace(WORKER, target="5:26.1.5-1~ubuntu")).findings == ()


def test_a_host_that_cannot_be_planned_is_a_leg_that_blocks() -> None:
    legs = {leg.host: leg for leg in arranged([*named("s1"), Host("a")], a=AWAY).legs}
    assert legs["a"].findings == (Finding("plan", "block", AWAY.summary, AWAY.hint),)
    assert legs["a"].steps == 0


def test_a_leg_has_its_warnings_and_what_a_yes_to_them_is_bound_to() -> None:
    warn, passed = Finding("disk", "warn", "less than 2 GB left", "Make room."), Finding("clock", "pass", "agrees")
    made = replace(WORKER, findings=(passed, warn))
    legs = {leg.host: leg for leg in arranged([*named("s1"), Host("a")], a=made).legs}
    assert legs["a"].findings == (warn,)
    assert legs["a"].warned == made.warned != WORKER.warned
