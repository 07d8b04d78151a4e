"""Read the swarm, and save which one it is: while its managers are down, no other swarm is accepted in its place.

In: the connections of a job. Out: SwarmFacts. The saved value is signed. It is replaced when the known managers report
that they have left the swarm, or are removed from the inventory.
"""

import time

from pydantic import TypeAdapter

from imker.protocol.version import KNOWN_SWARM_KEY
from jobs.errors import NoAnswer
from jobs.facts.swarm import SwarmFacts
from jobs.facts.swarm_agreement import KnownSwarm
from jobs.gather.connections import SwarmConnections
from jobs.gather.swarm import EngineAnswers, ask_engines, gather_swarm

CONFLICT_RETRIES, CONFLICT_DELAY = 2, 1.0  # further queries while hosts contradict each other; seconds between them
_KNOWN_SWARM_ADAPTER: TypeAdapter[KnownSwarm] = TypeAdapter(KnownSwarm)


def gather_known_swarm(
    connections: SwarmConnections, answers: EngineAnswers | None = None, *, ask_silent: bool = True
) -> SwarmFacts:
    """Return the swarm, and save its ID and managers. `answers`: the Engines' answers, if they are there already.

    Hosts that were silent in this job have a moment to answer. `ask_silent` False: they have none. Not for a decision.
    """
    last_swarm = _load_known_swarm(connections)
    connect = connections.connect_briefly_if_silent if ask_silent else connections.connect_unless_silent
    all_answers = answers or ask_engines(connections.inventory, connect)
    _note_silent_hosts(connections, all_answers)
    swarm = gather_swarm(connections.inventory, connect, last_swarm, all_answers)
    current = KnownSwarm(swarm.cluster_id, swarm.managers)
    if swarm.cluster_id:  # also an unchanged one: it is then signed with the current key, when an old one is removed
        connections.events.save_signed(KNOWN_SWARM_KEY, _KNOWN_SWARM_ADAPTER.dump_json(current).decode())
    return swarm


def gather_settled_swarm(
    connections: SwarmConnections, answers: EngineAnswers | None = None, *, ask_silent: bool = True
) -> SwarmFacts:
    """Return the swarm. A conflict counts only if it lasts: right after a promotion, node lists differ for a moment.

    The arguments are those of `gather_known_swarm`. All Engines are asked again only if managers contradict each other
    or cannot list the nodes.
    """
    swarm = gather_known_swarm(connections, answers, ask_silent=ask_silent)
    for _ in range(CONFLICT_RETRIES):
        if not swarm.problem or not any(membership.is_manager for membership in swarm.memberships.values()):
            break
        time.sleep(CONFLICT_DELAY)
        swarm = gather_known_swarm(connections, ask_silent=ask_silent)
    return swarm


def gather_managers(connections: SwarmConnections, seconds: float) -> SwarmFacts:
    """Ask only the known managers, for `seconds` at most. Return empty SwarmFacts if they now form another swarm."""
    last_swarm = _load_known_swarm(connections)
    managers = {name: connections.inventory[name] for name in last_swarm.managers if name in connections.inventory}
    answers = ask_engines(managers, connections.engine_factory, seconds)
    swarm = gather_swarm(managers, connections.engine_factory, last_swarm, answers)
    return swarm if swarm.cluster_id == last_swarm.cluster else SwarmFacts()


def _note_silent_hosts(connections: SwarmConnections, answers: EngineAnswers) -> None:
    connections.silent_hosts.clear()
    connections.silent_hosts.update({name: answer for name, answer in answers.items() if isinstance(answer, NoAnswer)})


def _load_known_swarm(connections: SwarmConnections) -> KnownSwarm:
    text = connections.events.load_signed(KNOWN_SWARM_KEY)
    try:
        return _KNOWN_SWARM_ADAPTER.validate_json(text) if text else KnownSwarm()
    except ValueError:
        return KnownSwarm()
