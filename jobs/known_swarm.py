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


def look(office: Office, answers: gather.Answers | None = None) -> SwarmFacts:
    """Return the swarm, and remember which one it is. `answers`: the hosts' answers, if they were asked already."""
    known = _known(office)
    swarm = gather.swarm(office.inventory, office.connect, known, answers)
    now = Known(swarm.cluster, swarm.managers)
    if swarm.cluster and now != known:
        office.journal.keep(KEY, _KNOWN.dump_json(now).decode())
    return swarm


def look_at_managers(office: Office, seconds: float) -> SwarmFacts:
    """Ask the known managers alone, for `seconds`, and no other host. Return nothing if they are not as they were."""
    known = _known(office)
    managers = {name: office.inventory[name] for name in known.managers if name in office.inventory}
    answers = gather.ask(managers, office.connect, seconds)
    swarm = gather.swarm(managers, office.connect, known, answers)
    return swarm if swarm.cluster == known.cluster else SwarmFacts()


def _known(office: Office) -> Known:
    text = office.journal.kept(KEY)
    try:
        return _KNOWN.validate_json(text) if text else Known()
    except ValueError:
        return Known()
