"""Which managers may be asked: a table of what hosts say of themselves and of each other, and what is made of it.

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
class Said:
    """What each host says. `down`: hosts that do not answer."""

    places: dict[str, SwarmMembership] = field(default_factory=dict)
    lists: dict[str, tuple[Node, ...]] = field(default_factory=dict)

    def manager(self, name: str, lists: str | None, *, node: str = "", cluster: str = "ours", **at: str) -> "Said":
        """`lists`: the hosts that it lists as managers, None for no answer. `at`: where, if not at their addresses."""
        self.places[name] = SwarmMembership("active", node or f"id-{name}", True, cluster)
        if lists is not None:
            self.lists[name] = tuple(_node(other, at.get(other, ADDRESS[other])) for other in lists.split())
        return self

    def worker(self, name: str, *managers: str, joining: bool = False) -> "Said":
        """`managers`: those that it names; right after a join it knows their addresses alone."""
        remotes = tuple(("" if joining else f"id-{other}", ADDRESS[other]) for other in managers)
        self.places[name] = SwarmMembership("active", f"id-{name}", managers=remotes)
        return self

    def outside(self, *names: str) -> "Said":
        self.places |= {name: SwarmMembership() for name in names}
        return self

    def problem(self, known: KnownSwarm = KnownSwarm()) -> str:  # noqa: B008
        return find_conflict(HOSTS, self.places, self.lists, known)


def _node(name: str, address: str) -> Node:
    return Node(f"id-{name}", name, address, "manager", "active", "ready", "reachable", "26.1.5", False)


HONEST = {
    "no swarm": Said().outside(*NAMES),
    "one manager": Said().manager("tondi", "tondi"),
    "three managers": Said()
    .manager("connewitz", "connewitz kaditz tondi")
    .manager("kaditz", "connewitz kaditz tondi")
    .manager("tondi", "connewitz kaditz tondi"),
    "one of three is down": Said()
    .manager("connewitz", "connewitz kaditz tondi")
    .manager("kaditz", "connewitz kaditz tondi"),
    "one of three has no leader": Said()
    .manager("connewitz", "connewitz kaditz tondi")
    .manager("kaditz", "connewitz kaditz tondi")
    .manager("tondi", None, cluster=""),
    "no quorum": Said().manager("connewitz", None, cluster="").manager("tondi", None, cluster="").worker("kaditz"),
    "managers outside the inventory": Said().manager("tondi", "tondi connewitz"),
    "workers of it": Said().manager("tondi", "tondi").worker("kaditz", "tondi").worker("lausen", "tondi", joining=True),
    "workers that have not heard of a new manager": Said()
    .manager("connewitz", "connewitz tondi")
    .manager("tondi", "connewitz tondi")
    .worker("kaditz", "connewitz")
    .worker("lausen", "connewitz"),
    "one worker of another swarm": Said().manager("tondi", "tondi").worker("kaditz", "tondi").worker("lausen", "alpha"),
    "workers that name no manager": Said().manager("tondi", "tondi").worker("kaditz").worker("lausen"),
}


@pytest.mark.parametrize("said", HONEST.values(), ids=HONEST)
def test_managers_that_nobody_contradicts_are_asked(said: Said) -> None:
    assert said.problem() == ""


OURS = "connewitz tondi"
ATTACKS: dict[str, tuple[Said, tuple[str, ...]]] = {
    "claims a manager's node ID": (
        Said().manager("tondi", "tondi").manager("alpha", "alpha", node="id-tondi"),
        ("tondi and alpha both report that they manage", "node id-tondi", "docker swarm leave --force"),
    ),
    "claims a manager's node ID, and lists nothing": (
        Said().manager("tondi", "tondi").manager("alpha", None, node="id-tondi", cluster=""),
        ("tondi and alpha both report",),
    ),
    "names no cluster": (
        Said().manager("tondi", "tondi").manager("alpha", "alpha tondi", cluster=""),
        ("without a cluster ID", "alpha"),
    ),
    "names no cluster, alone": (Said().manager("alpha", "alpha", cluster=""), ("without a cluster ID", "alpha")),
    "answers first, with a swarm of its own": (
        Said().manager("alpha", "alpha", cluster="its own").manager("tondi", "tondi"),
        ("two swarms: alpha in its own; tondi in ours", "docker swarm leave --force"),
    ),
    "answers last, with a swarm of its own": (
        Said().manager("connewitz", "connewitz").manager("tondi", "tondi", cluster="its own"),
        ("two swarms: connewitz in ours; tondi in its own",),
    ),
    "lists the true managers, who do not list it": (
        Said().manager("connewitz", OURS).manager("tondi", OURS).manager("alpha", f"alpha {OURS}"),
        ("connewitz and tondi in ours; alpha in ours", "connewitz does not list alpha; tondi does not list alpha"),
    ),
    "is another node of the swarm, elsewhere": (
        Said().manager("tondi", "tondi alpha", alpha="10.0.0.9").manager("alpha", "tondi alpha"),
        ("two swarms", "tondi does not list alpha"),
    ),
    "is not in its own list": (Said().manager("alpha", "tondi"), ("alpha", "its own node list disagrees")),
    "says it manages, and lists nothing": (
        Said().manager("tondi", "tondi").manager("alpha", None, cluster=""),
        ("alpha reports that it is a manager", "the node list of tondi disagrees"),
    ),
    "answers while the true manager is down, with a worker of that": (
        Said().manager("alpha", "alpha", cluster="its own").worker("kaditz", "tondi"),
        ("two swarms", "alpha", "one of kaditz, managed by tondi"),
    ),
    "answers while the true managers are down, and lists them": (
        Said().manager("alpha", f"alpha {OURS}").worker("kaditz", "connewitz", "tondi").worker("lausen", "tondi"),
        ("one of kaditz and lausen, managed by connewitz and tondi",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("said", "words"), ATTACKS.values(), ids=ATTACKS)
def test_an_impostor_is_refused_with_both_sides_named(said: Said, words: tuple[str, ...]) -> None:
    assert all(word in said.problem() for word in words), said.problem()


def test_of_one_word_against_one_word_none_is_taken() -> None:
    said = Said().manager("alpha", "alpha")
    assert said.problem() == ""
    assert said.worker("kaditz", "tondi").problem() != ""
    assert said.worker("lausen", "alpha").problem() == "", "two against one"


def test_managers_seen_at_another_address_say_which_line_to_add() -> None:
    moved = {"connewitz": "10.0.0.2", "tondi": "10.0.0.5"}
    said = Said().manager("connewitz", OURS, **moved).manager("tondi", OURS, **moved)
    assert "the managers list connewitz's node at 10.0.0.2, not at 198.18.0.2" in said.problem()
    assert '[hosts.connewitz] swarm_address = "10.0.0.2"' in said.problem()
    hosts = {name: Host(name, host.address, swarm_address=moved.get(name, "")) for name, host in HOSTS.items()}
    assert find_conflict(hosts, said.places, said.lists) == ""


def test_an_impostor_does_not_get_its_own_address_for_a_manager_suggested() -> None:
    said = Said().manager("tondi", "tondi").manager("alpha", "alpha tondi", tondi="6.6.6.6")
    assert "two swarms" in said.problem()
    assert "swarm_address" not in said.problem()


# --- what is known from before ----------------------------------------------------------------------------------------

KNOWN = KnownSwarm("ours", ("connewitz", "tondi"))
ALONE = {"cluster": "its own"}
REMEMBERED: dict[str, tuple[Said, str]] = {
    "its managers are down": (
        Said().manager("alpha", "alpha", **ALONE),
        "unknown manager: alpha in its own. Known but unreachable: connewitz and tondi in ours.",
    ),
    "its managers are down, and its ID is known": (Said().manager("alpha", "alpha"), "unknown manager: alpha in ours."),
    "one is down": (
        Said().manager("alpha", "alpha", **ALONE).outside("tondi"),
        "Known but unreachable: connewitz in ours",
    ),
    "a new manager beside a known one": (Said().manager("tondi", "tondi alpha").manager("alpha", "tondi alpha"), ""),
    "all have left": (Said().manager("alpha", "alpha", **ALONE).outside("connewitz", "tondi"), ""),
    "begun anew by one of them": (Said().manager("tondi", "tondi", **ALONE).outside("connewitz"), ""),
    "still there": (Said().manager("tondi", "tondi"), ""),
    "no swarm": (Said().outside("alpha"), ""),
}


@pytest.mark.parametrize(("said", "words"), REMEMBERED.values(), ids=REMEMBERED)
def test_a_swarm_known_before_is_not_replaced_while_its_managers_are_down(said: Said, words: str) -> None:
    assert words in said.problem(KNOWN)
    assert bool(said.problem(KNOWN)) == bool(words)


def test_a_host_that_was_taken_out_of_the_inventory_counts_no_more() -> None:
    said = Said().manager("alpha", "alpha", cluster="its own")
    assert said.problem(KnownSwarm("ours", ("gone",))) == ""
