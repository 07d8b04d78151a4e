"""Commands that change hosts or the swarm: plan from what is true now, ask if there is something to ask, then do."""

from dataclasses import replace

from jobs import approval, classic, containers, plan, quorum, retirement, steps, stores
from jobs.contract import Began, Ended, Migrate, Outcome, Role, Waiting
from jobs.errors import JobError, Paused
from jobs.execute.back import Restored
from jobs.facts import Node, SwarmFacts, SwarmPlace, place, upstream
from jobs.inventory import Host
from jobs.known_swarm import look as gather_swarm
from jobs.office import Office
from jobs.outlook import Outlook, plan_event, plan_of, tell_plan
from jobs.own_node import hosts_at, not_its, own_node
from jobs.plan import Plan, Refusal
from jobs.stepping import carry_out, change_membership, locked
from jobs.stores import Idle
from jobs.typed import typed


def migrate(office: Office, name: str, role: Role | None, docker_group: bool) -> None:
    host = office.host(name)
    office.journal.tell(Began(name))
    with locked(office, f"host:{name}", f"migrate {name}") as lease:
        outlook = plan_of(office, host, role, docker_group)
        made = outlook.made
        if isinstance(made, Refusal):
            return office.refuse(made)
        tell_plan(office, name, made)
        if made.steps and (_blocked(office, made) or _asks(office, made)):
            return None
        office.journal.tell(containers.census("before", outlook.now))
        try:
            carry_out(office, host, made.steps, outlook.swarm.managers, lease)
        except Paused as paused:
            whole = f"With its fleet: /swarm resume {paused.whole} goes on with all. " if paused.whole else ""
            return office.journal.tell(Waiting("resume", made.warned, summary=whole + paused.state, by=paused.by))
        except Restored as restored:
            _work_again(office, host, outlook.swarm, made, restored)
            raise
        return _conclude(office, host, outlook, made)


def accept(office: Office, prefix: str) -> None:
    """Promotes what enough people said yes to, if all is as they were shown; else asks, and says why it asks again."""
    office.journal.tell(Began())
    with locked(office, "swarm", f"accept {prefix}") as lease:
        swarm = gather_swarm(office)
        made = plan.acceptance(swarm, prefix)
        if isinstance(made, Refusal):
            return office.refuse(made)
        node = _pending(swarm, prefix)
        host, waiting = _host_of(office, swarm, node), _shown(office, swarm, node)
        why = _objection(office, waiting)
        if why is not None:
            return office.journal.tell(replace(waiting, refused=why))
        office.journal.tell(plan_event(made))
        change_membership(office, host, made.steps, swarm.managers, lease)
        after = gather_swarm(office)
        managers = sum(seen.role == "manager" for seen in after.nodes)
        summary = f"{node.hostname} is a manager now. {quorum.survives(managers)}."
        idle = stores.idle(office, host, (), (*host.stores, *host.former_stores))
        runs = idle and idle.inside and not idle.store.stopped  # of one that is stopped somebody was asked already
        return office.journal.tell(retirement.ask(idle, summary) if idle and runs else Ended("done", summary))


def reject(office: Office, prefix: str, remove: bool) -> None:
    office.journal.tell(Began())
    with locked(office, "swarm", f"reject {prefix}") as lease:
        swarm = gather_swarm(office)
        made = plan.rejection(swarm, prefix, remove)
        if isinstance(made, Refusal):
            return office.refuse(made)
        node = _pending(swarm, prefix)
        host = _host_of(office, swarm, node)
        office.journal.tell(plan_event(made))
        change_membership(office, host, made.steps, swarm.managers, lease)
        left = "is out of the swarm" if remove else "stays in the swarm as a worker"
        return _end(office, "done", f"{node.hostname} {left}.")


# --- asking --------------------------------------------------------------------------------------------------------


def _blocked(office: Office, made: Plan) -> bool:
    blocks = made.level("block")
    if blocks:
        summary = "; ".join(finding.text for finding in blocks)
        office.journal.tell(Ended("refused", summary, "Nothing was changed.", blocks[0].hint))
    return bool(blocks)


def _asks(office: Office, made: Plan) -> bool:
    """Warnings are a person's to weigh; a yes holds for those that were shown, and with others it is asked anew."""
    yes = any(approval.fingerprint in (made.fingerprint, made.warned) for approval in office.request.approvals)
    if yes or not made.level("warn"):
        return False
    office.journal.tell(Waiting("continue", made.fingerprint))
    return True


def _objection(office: Office, waiting: Waiting) -> str | None:
    """Why nothing is done yet: "" when nobody said yes so far, None when nothing stands against it."""
    request = office.request
    if not request.approvals:
        return ""
    asked = office.journal.question(request.job - 1)
    return approval.objection(request, asked, waiting.fingerprint, office.settings.rights, office.now()) or None


def _work_again(office: Office, host: Host, swarm: SwarmFacts, made: Plan, restored: Restored) -> None:
    """A node whose Engine is back as it was can do what it did."""
    back = tuple(step for step in made.steps if isinstance(step, steps.Activate))
    if not back:
        return
    try:
        with locked(office, "swarm", f"let {host.name} have work again") as lease:
            change_membership(office, host, back, swarm.managers, lease)
    except JobError as failed:
        restored.state = f"{restored.state} It has no work from the swarm yet: {failed.summary}.".lstrip()


# --- concluding -----------------------------------------------------------------------------------------------------


def _conclude(office: Office, host: Host, outlook: Outlook, made: Plan) -> None:
    """A manager-to-be waits for a person, and so does what did not come back, and a store that nobody needs."""
    after = containers.look(office, host) if made.steps else outlook.now.containers
    if made.steps:
        office.journal.tell(
            containers.census("after", replace(outlook.now, engine=upstream(made.target), containers=after))
        )
    named = classic.naming(host, outlook.now)
    idle = stores.idle(office, host, after, (*named.now, *named.before))
    if not made.steps and not made.waits:
        summary = f"nothing to do: {host.name} is in the swarm, on the wanted Engine"
        return office.journal.tell(Ended("nothing", summary, hint=retirement.later(idle)))
    if idle and idle.inside:
        retirement.tell_ports(office, idle)
    return office.journal.tell(_question(office, host, outlook, made, containers.missing(made.steps, after), idle))


def _question(
    office: Office, host: Host, outlook: Outlook, made: Plan, missing: tuple[str, ...], idle: Idle | None
) -> Waiting | Ended:
    """One at a time; what might be asked as well is told with it."""
    summary = f"{host.name} is in the swarm."
    if made.waits:
        also = (containers.not_back(host, missing), retirement.later(idle))
        return replace(_waiting(office, host), summary=" ".join(filter(None, also)))
    if missing:
        return containers.ask(host, missing, f"{summary} {retirement.later(idle)}".rstrip())
    if idle and idle.inside and outlook.now.place.state != "active":
        return retirement.ask(idle, summary)
    return Ended("done", summary, hint=retirement.later(idle))


def _waiting(office: Office, host: Host) -> Waiting:
    swarm = gather_swarm(office)
    own = place(office.connect(host).info())
    node = own_node(host, own, swarm.nodes)
    if node is None:
        why = swarm.problem or f"no manager sees its node at {host.advertise_address}"
        state = f"{host.name} is in the swarm, without work, and nobody is asked to accept it yet."
        hint = f"{typed(Migrate(host.name, 'manager'))} asks, once the swarm can be asked."
        raise JobError(f"the swarm cannot be asked: {why}", host=host.name, hint=hint, state=state)
    return _shown(office, swarm, node)


def _shown(office: Office, swarm: SwarmFacts, node: Node) -> Waiting:
    """The question, with the digest of all that a yes is of: who it is, where it is seen, what follows."""
    rights = office.settings.rights
    candidate = plan.candidate(_host_of(office, swarm, node), node)
    numbers = plan.quorum_after_one_more(swarm)
    digest = plan.fingerprint(candidate, numbers, plan.acceptance(swarm, node.id))
    return Waiting(
        "accept", digest, candidate, numbers, host=candidate.host,
        needed=rights.accept_count, asked=office.now(), seconds=rights.accept_within * 60.0,
    )  # fmt: skip


def _end(office: Office, outcome: Outcome, summary: str) -> None:
    office.journal.tell(Ended(outcome, summary))


def _pending(swarm: SwarmFacts, prefix: str) -> Node:
    node = plan.pending_node(swarm, prefix)
    assert not isinstance(node, Refusal)
    return node


def _host_of(office: Office, swarm: SwarmFacts, node: Node) -> Host:
    """The inventory's host behind a node: by the address a manager observed, never by the name the node claims.

    The host itself may be down. If it answers, it has to say the same, but for a node that is gone.
    """
    hosts = hosts_at(node, office.inventory)
    if len(hosts) != 1:
        have = f"{', '.join(host.name for host in hosts)} have" if hosts else "no host of the inventory has"
        hint = "Give it to its host in imker.toml: [hosts.NAME] address, or swarm_address."
        raise JobError(f"{have} {node.address}, where node {node.id[:12]} is seen", hint=hint)
    host = office.allowed(hosts[0])
    place = swarm.places.get(host.name, SwarmPlace(node=node.id))
    found = not_its(host, place, node, swarm) if node.state != "down" else None
    if found:
        raise JobError(found.text, host=host.name, hint=found.hint)
    return host
