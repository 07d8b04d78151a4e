"""Look at the swarm, and remember which one it was: while its managers are down, no other takes its place.

In: the office. Out: SwarmFacts. What is remembered is signed; it is forgotten when those managers answer that they have
left, or are taken out of the inventory.
"""

from pydantic import TypeAdapter

from jobs.context import JobContext
from jobs.facts.swarm import SwarmFacts
from jobs.facts.swarm_agreement import KnownSwarm
from jobs.gather.swarm import EngineAnswers, ask_engines, gather_swarm

KNOWN_SWARM_KEY = "imker:swarm"
_KNOWN_SWARM_ADAPTER: TypeAdapter[KnownSwarm] = TypeAdapter(KnownSwarm)


def gather_known_swarm(context: JobContext, answers: EngineAnswers | None = None) -> SwarmFacts:
    """Return the swarm, and remember which one it is. `answers`: the hosts' answers, if they were asked already."""
    known = _load_known_swarm(context)
    swarm = gather_swarm(context.inventory, context.engine_factory, known, answers)
    now = KnownSwarm(swarm.cluster_id, swarm.managers)
    if swarm.cluster_id and now != known:
        context.events.save_signed(KNOWN_SWARM_KEY, _KNOWN_SWARM_ADAPTER.dump_json(now).decode())
    return swarm


def gather_managers(office: JobContext, seconds: float) -> SwarmFacts:
    """Ask the known managers alone, for `seconds`, and no other host. Return nothing if they are not as they were."""
    known = _load_known_swarm(office)
    managers = {name: office.inventory[name] for name in known.managers if name in office.inventory}
    answers = ask_engines(managers, office.engine_factory, seconds)
    swarm = gather_swarm(managers, office.engine_factory, known, answers)
    return swarm if swarm.cluster_id == known.cluster else SwarmFacts()


def _load_known_swarm(context: JobContext) -> KnownSwarm:
    text = context.events.load_signed(KNOWN_SWARM_KEY)
    try:
        return _KNOWN_SWARM_ADAPTER.validate_json(text) if text else KnownSwarm()
    except ValueError:
        return KnownSwarm()
