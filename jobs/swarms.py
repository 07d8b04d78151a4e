"""Whether what the hosts say of their swarms is true of one swarm, and why none of them can be asked. Pure.

In: each host's own word on its place, and the nodes that its managers name. Out: what is wrong, in words, or "".
No host is believed alone: one that somebody took over can say of itself whatever it likes.
"""

from collections.abc import Mapping

from jobs.facts import Node, SwarmPlace

LEAVE = "Which is yours? On the hosts of the other: docker swarm leave --force"
WITHOUT = {  # LocalNodeState -> why a host that is in a swarm does not show it
    "locked": "is locked: give it the swarm's key there, docker swarm unlock",
    "error": "cannot go on in its swarm, as when its certificate has ended (docker info); or there: docker swarm leave",
    "pending": "is still joining, and its manager does not answer: bring that back; or there: docker swarm leave",
}


def more_than_one(managers: Mapping[str, SwarmPlace], lists: Mapping[str, tuple[Node, ...]]) -> str:
    """`managers`: hosts that say they manage a swarm; `lists`: the nodes that each of them names, if it answers."""
    told = {name: place.cluster for name, place in managers.items() if place.cluster}
    if len(set(told.values())) > 1:
        return f"two swarms: {', '.join(f'{name} in {cluster}' for name, cluster in told.items())}. {LEAVE}"
    known = {name: {node.id for node in nodes if node.role == "manager"} for name, nodes in lists.items()}
    strange = [
        f"{name} does not know {other}" for name in lists for other in lists if managers[other].node not in known[name]
    ]
    return f"two swarms: as a manager, {'; '.join(strange)}. {LEAVE}" if strange else ""


def without_manager(inside: Mapping[str, str]) -> str:
    """`inside`: host -> LocalNodeState. There is a swarm: nobody is to start a second because this one cannot speak."""
    told = [f"{name} {WITHOUT[state]}" for name, state in inside.items() if state in WITHOUT]
    return "; ".join(told) or (
        "only workers answer: this node is not a swarm manager, and only managers can show or change the swarm"
    )
