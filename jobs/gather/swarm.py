"""Read the swarm as its managers report it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jobs.connectors.engine import Engine, EngineFactory
from jobs.errors import EngineRefused, JobError, NoAnswer, Unreachable
from jobs.facts import swarm, swarm_agreement
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.facts.swarm_agreement import KnownSwarm
from jobs.gather.parallel import ParallelCalls
from jobs.inventory.model import Host, Inventory


@dataclass(frozen=True)
class EngineAnswer:
    """One Engine's answer. `swarm`: the swarm as a manager sees it, or its error. None for other hosts."""

    engine: Engine
    membership: SwarmMembership
    swarm: SwarmFacts | JobError | None
    storage_driver: str = ""


EngineAnswers = Mapping[str, EngineAnswer | JobError]
ASK_TIMEOUT = 10.0  # seconds for all queries to all hosts, however slow one host is


class EngineQueries:
    """Queries to all Engines, in parallel. A host that has not answered after `seconds` counts as unreachable."""

    def __init__(self, inventory: Inventory, engine_factory: EngineFactory, seconds: float = ASK_TIMEOUT) -> None:
        self._inventory, self._seconds = inventory, seconds
        self._calls = ParallelCalls(lambda host: ask_engine(host, engine_factory), inventory, seconds)

    def answer(self, name: str) -> EngineAnswer | JobError:
        """Wait for one host and return its answer."""
        return self._calls.result(name) or self._late_error(name)

    def answers(self) -> EngineAnswers:
        """Wait for all hosts and return their answers."""
        answers = self._calls.results()
        return {name: answers.get(name) or self._late_error(name) for name in self._inventory}

    def _late_error(self, name: str) -> NoAnswer:
        return NoAnswer(f"{name}'s Engine did not answer within {self._seconds:g} s", host=name)


def ask_engines(inventory: Inventory, engine_factory: EngineFactory, seconds: float = ASK_TIMEOUT) -> EngineAnswers:
    """Query all Engines in parallel. A host that has not answered all queries after `seconds` counts as unreachable."""
    return EngineQueries(inventory, engine_factory, seconds).answers()


def ask_engine(host: Host, engine_factory: EngineFactory) -> EngineAnswer | JobError:
    """Return one Engine's answer, or why there is none."""
    try:
        engine = engine_factory(host)
        info = engine.info()
        membership = swarm.parse_membership(info)
    except (Unreachable, EngineRefused) as failed:
        return failed
    view = _ask_manager(host, engine) if membership.is_manager else None
    return EngineAnswer(engine, membership, view, swarm.parse_storage_driver(info))


def gather_swarm(
    inventory: Inventory,
    engine_factory: EngineFactory,
    last_swarm: KnownSwarm = KnownSwarm(),  # noqa: B008
    answers: EngineAnswers | None = None,
) -> SwarmFacts:
    """Return the swarm, if all hosts agree who manages it. Otherwise `problem` of the result says why not.

    `last_swarm`: the swarm of the previous query. `answers`: the Engines' answers, if they are there already.
    """
    all_answers = answers or ask_engines(inventory, engine_factory)
    engine_answers = {name: answer for name, answer in all_answers.items() if isinstance(answer, EngineAnswer)}
    memberships = {name: answer.membership for name, answer in engine_answers.items()}
    managers = {name: membership for name, membership in memberships.items() if membership.is_manager}
    views = {name: answer.swarm for name, answer in engine_answers.items() if answer.swarm}
    unreachable = tuple(name for name in inventory if name not in memberships)
    lists = {name: view for name, view in views.items() if not isinstance(view, JobError)}
    memberships |= {name: replace(memberships[name], cluster_id=view.cluster_id) for name, view in lists.items()}
    problem = swarm_agreement.find_conflict(
        inventory, memberships, {name: view.nodes for name, view in lists.items()}, last_swarm
    )
    if problem:
        return SwarmFacts(unreachable=unreachable, problem=problem, memberships=memberships)
    if lists:
        first_manager, view = next(iter(lists.items()))
        ordered = (first_manager, *(other for other in managers if other != first_manager))
        return replace(view, managers=ordered, unreachable=unreachable, memberships=memberships)
    states = {name: item.state for name, item in memberships.items() if item.state not in ("", "inactive")}
    summaries = [view.summary for view in views.values() if isinstance(view, JobError)]
    problem = summaries[-1] if summaries else swarm_agreement.explain_unreachable(states) if states else ""
    silent = swarm_agreement.find_silent_managers(inventory, memberships, last_swarm)
    return SwarmFacts(
        managers=tuple(managers),
        unreachable=unreachable,
        problem=problem,
        memberships=memberships,
        silent_managers=silent,
    )


def _ask_manager(host: Host, engine: Engine) -> SwarmFacts | JobError:
    """Return the swarm as one manager reports it. Read the cluster ID last: without a leader a manager reports none."""
    try:
        nodes, autolock = list_nodes(engine), engine.autolock()
        return SwarmFacts(
            host.name, nodes, autolock=autolock, cluster_id=swarm.parse_membership(engine.info()).cluster_id
        )
    except JobError as error:
        return error


def list_nodes(engine: Engine) -> tuple[Node, ...]:
    """Return the nodes of the swarm, sorted by hostname. Raise EngineRefused if the Engine is not a manager."""
    return tuple(sorted(map(swarm.parse_node, engine.nodes()), key=lambda node: (node.hostname, node.id)))
