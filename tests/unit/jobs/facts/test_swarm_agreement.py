"""Test which managers are trusted: tables of the hosts' reports, and the resulting conflict.

Attacks are named after what the attacker does.
"""

from dataclasses import dataclass, field

import pytest

from jobs.facts.swarm import Node, SwarmMembership
from jobs.facts.swarm_agreement import KnownSwarm, find_conflict
from jobs.inventory.model import Host

NAMES = ("alpha", "connewitz", "kaditz", "lausen", "tondi")
HOSTS = {name: Host(name, f"198.18.0.{number}") for number, name in enumerate(NAMES, 1)}
ADDRESS = {name: host.address for name, host in HOSTS.items()}


@dataclass
class Reports:
    """The report of each host."""

    memberships: dict[str, SwarmMembership] = field(default_factory=dict)
    lists: dict[str, tuple[Node, ...]] = field(default_factory=dict)

    def manager(self, name: str, lists: str | None, *, node: str = "", cluster: str = "ours", **at: str) -> "Reports":
        """Add a manager. `lists`: the managers in its list, None for no list; `at`: their differing addresses."""
        self.memberships[name] = SwarmMembership("active", node or f"id-{name}", True, cluster)
        if lists is not None:
            self.lists[name] = tuple(_node(other, at.get(other, ADDRESS[other])) for other in lists.split())
        return self

    def worker(self, name: str, *managers: str, joining: bool = False) -> "Reports":
        """Add a worker. `managers`: those that it names. `joining`: it does not know their node IDs yet."""
        remotes = tuple(("" if joining else f"id-{other}", ADDRESS[other]) for other in managers)
        self.memberships[name] = SwarmMembership("active", f"id-{name}", managers=remotes)
        return self

    def outside(self, *names: str) -> "Reports":
        self.memberships |= {name: SwarmMembership() for name in names}
        return self

    def problem(self, last_swarm: KnownSwarm = KnownSwarm()) -> str:  # noqa: B008
        return find_conflict(HOSTS, self.memberships, self.lists, last_swarm)


def _node(name: str, address: str) -> Node:
    return Node(f"id-{name}", name, address, "manager", "active", "ready", "reachable", "26.1.5", False)


HONEST = {
    "no swarm": Reports().outside(*NAMES),
    "one manager": Reports().manager("tondi", "tondi"),
    "three managers": Reports()
    .manager("connewitz", "connewitz kaditz tondi")
    .manager("kaditz", "connewitz kaditz tondi")
    .manager("tondi", "connewitz kaditz tondi"),
    "one of three is down": Reports()
    .manager("connewitz", "connewitz kaditz tondi")
    .manager("kaditz", "connewitz kaditz tondi"),
    "one of three has no leader": Reports()
    .manager("connewitz", "connewitz kaditz tondi")
    .manager("kaditz", "connewitz kaditz tondi")
    .manager("tondi", None, cluster=""),
    "no quorum": Reports().manager("connewitz", None, cluster="").manager("tondi", None, cluster="").worker("kaditz"),
    "managers outside the inventory": Reports().manager("tondi", "tondi connewitz"),
    "workers of it": Reports()
    .manager("tondi", "tondi")
    .worker("kaditz", "tondi")
    .worker("lausen", "tondi", joining=True),
    "workers that do not list a new manager yet": Reports()
    .manager("connewitz", "connewitz tondi")
    .manager("tondi", "connewitz tondi")
    .worker("kaditz", "connewitz")
    .worker("lausen", "connewitz"),
    "one worker of another swarm": Reports()
    .manager("tondi", "tondi")
    .worker("kaditz", "tondi")
    .worker("lausen", "alpha"),
    "workers that name no manager": Reports().manager("tondi", "tondi").worker("kaditz").worker("lausen"),
}


@pytest.mark.parametrize("reports", HONEST.values(), ids=HONEST)
def test_trusts_managers_without_a_contradiction(reports: Reports) -> None:
    assert reports.problem() == ""


OURS = "connewitz tondi"
ATTACKS: dict[str, tuple[Reports, tuple[str, ...]]] = {
    "claims a manager's node ID": (
        Reports().manager("tondi", "tondi").manager("alpha", "alpha", node="id-tondi"),
        ("tondi and alpha both report that they manage", "node id-tondi", "docker swarm leave --force"),
    ),
    "claims a manager's node ID, and lists nothing": (
        Reports().manager("tondi", "tondi").manager("alpha", None, node="id-tondi", cluster=""),
        ("tondi and alpha both report",),
    ),
    "names no cluster": (
        Reports().manager("tondi", "tondi").manager("alpha", "alpha tondi", cluster=""),
        ("without a cluster ID", "alpha"),
    ),
    "names no cluster, alone": (Reports().manager("alpha", "alpha", cluster=""), ("without a cluster ID", "alpha")),
    "answers first, with a swarm of its own": (
        Reports().manager("alpha", "alpha", cluster="its own").manager("tondi", "tondi"),
        ("two swarms: alpha in its own; tondi in ours", "docker swarm leave --force"),
    ),
    "answers last, with a swarm of its own": (
        Reports().manager("connewitz", "connewitz").manager("tondi", "tondi", cluster="its own"),
        ("two swarms: connewitz in ours; tondi in its own",),
    ),
    "lists the true managers, who do not list it": (
        Reports().manager("connewitz", OURS).manager("tondi", OURS).manager("alpha", f"alpha {OURS}"),
        ("connewitz and tondi in ours; alpha in ours", "connewitz does not list alpha; tondi does not list alpha"),
    ),
    "is another node of the swarm, elsewhere": (
        Reports().manager("tondi", "tondi alpha", alpha="10.0.0.9").manager("alpha", "tondi alpha"),
        ("two swarms", "tondi does not list alpha"),
    ),
    "is not in its own list": (Reports().manager("alpha", "tondi"), ("alpha", "its own node list disagrees")),
    "says it manages, and lists nothing": (
        Reports().manager("tondi", "tondi").manager("alpha", None, cluster=""),
        ("alpha reports that it is a manager", "the node list of tondi disagrees"),
    ),
    "answers while the real manager is down, contradicted by one of its workers": (
        Reports().manager("alpha", "alpha", cluster="its own").worker("kaditz", "tondi"),
        ("two swarms", "alpha", "one of kaditz, managed by tondi"),
    ),
    "answers while the true managers are down, and lists them": (
        Reports().manager("alpha", f"alpha {OURS}").worker("kaditz", "connewitz", "tondi").worker("lausen", "tondi"),
        ("one of kaditz and lausen, managed by connewitz and tondi",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("reports", "words"), ATTACKS.values(), ids=ATTACKS)
def test_refuses_an_impostor_and_names_both_sides(reports: Reports, words: tuple[str, ...]) -> None:
    assert all(word in reports.problem() for word in words), reports.problem()


def test_refuses_both_of_two_contradicting_hosts() -> None:
    reports = Reports().manager("alpha", "alpha")
    assert reports.problem() == ""
    assert reports.worker("kaditz", "tondi").problem() != ""
    assert reports.worker("lausen", "alpha").problem() == "", "two against one"


def test_suggests_the_swarm_address_of_misplaced_managers() -> None:
    moved = {"connewitz": "10.0.0.2", "tondi": "10.0.0.5"}
    reports = Reports().manager("connewitz", OURS, **moved).manager("tondi", OURS, **moved)
    assert "the managers list connewitz's node at 10.0.0.2, not at 198.18.0.2" in reports.problem()
    assert '[hosts.connewitz] swarm_address = "10.0.0.2"' in reports.problem()
    hosts = {name: Host(name, host.address, swarm_address=moved.get(name, "")) for name, host in HOSTS.items()}
    assert find_conflict(hosts, reports.memberships, reports.lists) == ""


def test_does_not_suggest_the_address_of_an_impostor() -> None:
    reports = Reports().manager("tondi", "tondi").manager("alpha", "alpha tondi", tondi="6.6.6.6")
    assert "two swarms" in reports.problem()
    assert "swarm_address" not in reports.problem()


# --- the known swarm --------------------------------------------------------------------------------------------------

KNOWN = KnownSwarm("ours", ("connewitz", "tondi"))
ALONE = {"cluster": "its own"}
KNOWN_CASES: dict[str, tuple[Reports, str]] = {
    "its managers are down": (
        Reports().manager("alpha", "alpha", **ALONE),
        "unknown manager: alpha in its own. Known but unreachable: connewitz and tondi in ours.",
    ),
    "its managers are down, and its ID is known": (
        Reports().manager("alpha", "alpha"),
        "unknown manager: alpha in ours.",
    ),
    "one is down": (
        Reports().manager("alpha", "alpha", **ALONE).outside("tondi"),
        "Known but unreachable: connewitz in ours",
    ),
    "a new manager beside a known one": (Reports().manager("tondi", "tondi alpha").manager("alpha", "tondi alpha"), ""),
    "all have left": (Reports().manager("alpha", "alpha", **ALONE).outside("connewitz", "tondi"), ""),
    "initialized again by one of them": (Reports().manager("tondi", "tondi", **ALONE).outside("connewitz"), ""),
    "still there": (Reports().manager("tondi", "tondi"), ""),
    "no swarm": (Reports().outside("alpha"), ""),
}


@pytest.mark.parametrize(("reports", "words"), KNOWN_CASES.values(), ids=KNOWN_CASES)
def test_keeps_the_known_swarm_while_its_managers_are_down(reports: Reports, words: str) -> None:
    assert words in reports.problem(KNOWN)
    assert bool(reports.problem(KNOWN)) == bool(words)


def test_ignores_known_managers_outside_the_inventory() -> None:
    reports = Reports().manager("alpha", "alpha", cluster="its own")
    assert reports.problem(KnownSwarm("ours", ("gone",))) == ""
