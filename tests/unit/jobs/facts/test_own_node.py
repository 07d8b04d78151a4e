"""Test how hosts are matched with nodes: by the reported node ID and by the address in the managers' list."""

import pytest

from jobs.facts.own_node import check_machine_ids, find_identity_problem, find_own_node, hosts_at
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership, parse_membership, parse_node
from jobs.inventory.model import Host

TONDI = Host("tondi", "198.18.0.73")
LAUSEN = Host("lausen", "198.18.0.64")
TWO_HOMES = Host("tondi", "198.18.0.73", swarm_address="10.0.0.73")


def listed_node(name: str, address: str) -> Node:
    return Node(f"id-{name}", name, address, "worker", "active", "ready", "", "26.1.5", False)


NODES = (listed_node("lausen", LAUSEN.address), listed_node("tondi", TONDI.address))


@pytest.mark.parametrize(
    ("host", "says", "nodes", "expected"),
    [
        (TONDI, "id-tondi", NODES, "id-tondi"),
        (TONDI, "id-lausen", NODES, ""),
        (TONDI, "", NODES, ""),
        (TONDI, "", (listed_node("", TONDI.address),), ""),
        (TONDI, "id-tondi", (listed_node("tondi", ""),), ""),
        (Host("tondi"), "id-tondi", (listed_node("tondi", ""),), ""),
        (TWO_HOMES, "id-tondi", NODES, ""),
        (TWO_HOMES, "id-tondi", (listed_node("tondi", "10.0.0.73"),), "id-tondi"),
    ],
    ids=[
        "its own", "another host's", "no ID reported", "no ID at its address", "no address yet", "no address at all",
        "at its other address", "at its swarm address",
    ],
)  # fmt: skip
def test_matches_a_node_by_the_hosts_report_and_the_managers_address(
    host: Host, says: str, nodes: tuple[Node, ...], expected: str
) -> None:
    node = find_own_node(host, SwarmMembership("active", says), nodes)
    assert (node.id if node else "") == expected


def membership_of(host: Host, node: str = "", engine: str = "") -> SwarmMembership:
    return SwarmMembership("active", node or f"id-{host.name}", engine_id=engine or f"engine-{host.name}")


IDENTITY_CASES = {
    "distinct IDs": (membership_of(TONDI), membership_of(LAUSEN), "", ""),
    "claims another's node ID": (
        membership_of(TONDI, "id-lausen"), membership_of(LAUSEN), "node ID",
        "tondi and lausen both report node id-lausen",
    ),
    "another claims its node ID": (
        membership_of(TONDI), membership_of(LAUSEN, "id-tondi"), "node ID", "tondi and lausen both report node id-tondi"
    ),
    "claims the node ID of a host that is down": (
        membership_of(TONDI, "id-lausen"), None, "node address",
        "tondi reports node id-lausen, but the managers list tondi's node at 198.18.0.64, not at 198.18.0.73",
    ),
    "a copied disk": (
        membership_of(TONDI), membership_of(LAUSEN, engine="engine-tondi"), "Engine ID",
        "tondi and lausen have the same Engine ID"
    ),
    "Engines that report no ID": (
        SwarmMembership("active", "id-tondi"), SwarmMembership("active", "id-lausen"), "", ""
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tondi", "lausen", "check", "text"), IDENTITY_CASES.values(), ids=IDENTITY_CASES)
def test_refuses_a_host_with_the_ids_of_another(
    tondi: SwarmMembership, lausen: SwarmMembership | None, check: str, text: str
) -> None:
    places = {"tondi": tondi, **({"lausen": lausen} if lausen else {})}
    finding = find_identity_problem(TONDI, tondi, SwarmFacts("lausen", NODES, ("lausen",), memberships=places))
    assert ((finding.check, finding.level) if finding else ("", "block")) == (check, "block")
    assert text in (finding.text if finding else "")
    assert not finding or finding.hint


def test_suggests_the_swarm_address_of_a_node_at_another_address() -> None:
    swarm = SwarmFacts("lausen", (listed_node("tondi", "10.0.0.73"),), ("lausen",))
    finding = find_identity_problem(TONDI, membership_of(TONDI), swarm)
    assert finding is not None
    assert '[hosts.tondi] swarm_address = "10.0.0.73"' in finding.hint
    assert find_identity_problem(TWO_HOMES, membership_of(TONDI), swarm) is None


def test_asks_to_try_again_for_a_node_without_an_address() -> None:
    """This happens for a moment after a leader election."""
    finding = find_identity_problem(
        TONDI, membership_of(TONDI), SwarmFacts("lausen", (listed_node("tondi", ""),), ("lausen",))
    )
    assert finding is not None
    assert finding.hint == "Try again in a minute."


def test_finds_all_hosts_at_the_address_of_a_node() -> None:
    twice = {"tondi": TONDI, "twin": Host("twin", TONDI.address, ssh_port=23), "lausen": LAUSEN}
    assert hosts_at(NODES[0], twice) == (LAUSEN,)
    assert len(hosts_at(NODES[1], twice)) == 2
    assert hosts_at(listed_node("x", ""), {"x": Host("x")}) == ()


def test_names_hosts_that_share_a_machine_id() -> None:
    (finding,) = check_machine_ids({"tondi": "a", "lausen": "b", "kaditz": "a", "old": "", "older": ""})
    assert (finding.check, finding.level) == ("machine ID", "block")
    assert "tondi, kaditz have the same machine ID" in finding.text
    assert "systemd-machine-id-setup" in finding.hint


# --- parsing an Engine's answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "manager", "address"),
    [
        ({"Addr": "198.18.0.73"}, None, "198.18.0.73"),
        ({"Addr": "0.0.0.0"}, {"Addr": "198.18.0.73:2377"}, "198.18.0.73"),
        ({"Addr": "198.18.0.73"}, {"Leader": True}, "198.18.0.73"),
        ({}, None, ""),
        ({"Addr": "127.0.0.1"}, {"Addr": "[fd00::73]:2377"}, "fd00::73"),
    ],
)
def test_reads_the_address_that_the_other_managers_use(
    status: dict[str, str], manager: dict[str, object] | None, address: str
) -> None:
    assert parse_node({"ID": "a", "Status": status, "ManagerStatus": manager}).address == address


def test_parses_the_managers_and_the_engine_id() -> None:
    remotes = [{"NodeID": "m1", "Addr": "198.18.0.60:2377"}, {"NodeID": "", "Addr": "198.18.0.73:2377"}]
    read = parse_membership({"ID": "engine", "Swarm": {"NodeID": "n", "RemoteManagers": remotes}})
    assert read.managers == (("m1", "198.18.0.60"), ("", "198.18.0.73"))
    assert read.engine_id == "engine"
    assert parse_membership({"Swarm": {"RemoteManagers": None}}).managers == ()
