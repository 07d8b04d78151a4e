"""Look at the swarm, and remember which one it was: while its managers are down, no other takes its place.

In: the office. Out: SwarmFacts. What is remembered is signed; it is forgotten when those managers answer that they have
left, or are taken out of the inventory.
"""

from pydantic import TypeAdapter

from jobs import gather
from jobs.facts import SwarmFacts
from jobs.office import Office
from jobs.swarms import Known

KEY = "imker:swarm"
_KNOWN: TypeAdapter[Known] = TypeAdapter(Known)


def look(office: Office) -> SwarmFacts:
    known = _known(office)
    swarm = gather.swarm(office.inventory, office.connect, known)
    now = Known(swarm.cluster, swarm.managers)
    if swarm.cluster and now != known:
        office.journal.keep(KEY, _KNOWN.dump_json(now).decode())
    return swarm


def look_at_managers(office: Office) -> SwarmFacts:
    """Ask the known managers alone, which takes no answer of any other host. Nothing, if they are not as they were."""
    known = _known(office)
    managers = {name: office.inventory[name] for name in known.managers if name in office.inventory}
    swarm = gather.swarm(managers, office.connect, known)
    return swarm if swarm.cluster == known.cluster else SwarmFacts()


def _known(office: Office) -> Known:
    text = office.journal.kept(KEY)
    try:
        return _KNOWN.validate_json(text) if text else Known()
    except ValueError:
        return Known()
