"""Read the swarm as its managers report it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jobs.connectors.engine import Engine, EngineFactory
from jobs.errors import EngineRefused, JobError, Unreachable
from jobs.facts import swarm, swarm_agreement
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.facts.swarm_agreement import KnownSwarm
from jobs.gather.parallel import run_in_parallel
from jobs.inventory.model import Host, Inventory


@dataclass(frozen=True)
class EngineAnswer:
    """What a host's Engine says. `swarm`: of a manager, the swarm as it sees it, or why it does not show it."""

    engine: Engine
    membership: SwarmMembership
    swarm: SwarmFacts | JobError | None


EngineAnswers = Mapping[str, EngineAnswer | JobError]
ASK_TIMEOUT = 10.0  # seconds for all that is asked of all hosts, whatever one of them does


def ask_engines(inventory: Inventory, engine_factory: EngineFactory, seconds: float = ASK_TIMEOUT) -> EngineAnswers:
    """Ask all hosts' Engines at the same time. A host that has not answered all after `seconds` is unreachable."""
    told = run_in_parallel(lambda about: _ask_engine(about, engine_factory), inventory, seconds)
    late = f"'s Engine does not answer within {seconds:g} s"
    return {name: told.get(name, Unreachable(f"{name}{late}", host=name)) for name in inventory}


def _ask_engine(host: Host, engine_factory: EngineFactory) -> EngineAnswer | JobError:
    try:
        engine = engine_factory(host)
        place = swarm.parse_membership(engine.info())
    except (Unreachable, EngineRefused) as failed:
        return failed
    return EngineAnswer(engine, place, _ask_manager(host, engine) if place.is_manager else None)


def gather_swarm(
    inventory: Inventory,
    engine_factory: EngineFactory,
    known: KnownSwarm = KnownSwarm(),  # noqa: B008
    answers: EngineAnswers | None = None,
) -> SwarmFacts:
    """Compare all hosts' places and all managers' nodes: they have to agree who manages.

    `known`: the swarm as it was asked before; `answers`: the hosts' answers, if they were asked already.
    """
    told = answers or ask_engines(inventory, engine_factory)
    places = {name: answer.membership for name, answer in told.items() if isinstance(answer, EngineAnswer)}
    managers = {name: place for name, place in places.items() if place.is_manager}
    heard = {name: answer.swarm for name, answer in told.items() if isinstance(answer, EngineAnswer) and answer.swarm}
    silent = tuple(name for name in inventory if name not in places)
    lists = {name: node_list for name, node_list in heard.items() if not isinstance(node_list, JobError)}
    places |= {name: replace(places[name], cluster_id=node_list.cluster_id) for name, node_list in lists.items()}
    problem = swarm_agreement.find_conflict(
        inventory, places, {name: node_list.nodes for name, node_list in lists.items()}, known
    )
    if problem:
        return SwarmFacts(unreachable=silent, problem=problem, memberships=places)
    if lists:
        first_manager, node_list = next(iter(lists.items()))
        ordered = (first_manager, *(other for other in managers if other != first_manager))
        return replace(node_list, managers=ordered, unreachable=silent, memberships=places)
    inside = {name: place.state for name, place in places.items() if place.state not in ("", "inactive")}
    summaries = [node_list.summary for node_list in heard.values() if isinstance(node_list, JobError)]
    problem = summaries[-1] if summaries else swarm_agreement.explain_unreachable(inside) if inside else ""
    return SwarmFacts(managers=tuple(managers), unreachable=silent, problem=problem, memberships=places)


def _ask_manager(host: Host, engine: Engine) -> SwarmFacts | JobError:
    """The swarm as one manager tells it. It names its cluster only once it has a leader, as the nodes: asked after."""
    try:
        nodes, autolock = list_nodes(engine), engine.autolock()
        return SwarmFacts(
            host.name, nodes, autolock=autolock, cluster_id=swarm.parse_membership(engine.info()).cluster_id
        )
    except JobError as error:
        return error


def list_nodes(engine: Engine) -> tuple[Node, ...]:
    return tuple(sorted(map(swarm.parse_node, engine.nodes()), key=lambda node: (node.hostname, node.id)))
