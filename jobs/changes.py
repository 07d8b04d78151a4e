"""Commands that change hosts or the swarm: plan from what is true now, ask if there is something to ask, then do."""

from dataclasses import replace

from jobs import approval, containers, plan, quorum, reads, steps
from jobs.contract import Began, Ended, Outcome, Role, Waiting
from jobs.errors import JobError, Paused
from jobs.facts import Node, SwarmFacts, place, upstream
from jobs.gather import swarm as gather_swarm
from jobs.inventory import Host
from jobs.office import Office
from jobs.plan import Plan, Refusal
from jobs.stepping import carry_out, change_membership, locked


def migrate(office: Office, name: str, role: Role | None, docker_group: bool) -> None:
    host = office.host(name)
    office.journal.tell(Began(name))
    with locked(office, f"host:{name}", f"migrate {name}") as lease:
        outlook = reads.plan_of(office, host, role, docker_group)
        made = outlook.made
        if isinstance(made, Refusal):
            return office.refuse(made)
        reads.tell_plan(office, name, made)
        if made.steps and (_blocked(office, made) or _asks(office, made)):
            return None
        office.journal.tell(containers.census("before", outlook.now))
        try:
            carry_out(office, host, made.steps, outlook.swarm.managers, lease)
        except Paused as paused:
            return office.journal.tell(Waiting("resume", made.warned, summary=f"{paused.summary}. {paused.state}"))
        return _conclude(office, host, outlook, made)


def accept(office: Office, prefix: str) -> None:
    """Promotes what enough people said yes to, if all is as they were shown; else asks, and says why it asks again."""
    office.journal.tell(Began())
    with locked(office, "swarm", f"accept {prefix}") as lease:
        swarm = gather_swarm(office.inventory, office.connect)
        made = plan.acceptance(swarm, prefix)
        if isinstance(made, Refusal):
            return office.refuse(made)
        node = _pending(swarm, prefix)
        host, waiting = _host_of(office, node), _shown(office, swarm, node)
        why = _objection(office, waiting)
        if why is not None:
            return office.journal.tell(replace(waiting, summary=why))
        office.journal.tell(reads.plan_event(made))
        change_membership(office, host, made.steps, swarm.managers, lease)
        after = gather_swarm(office.inventory, office.connect)
        managers = sum(seen.role == "manager" for seen in after.nodes)
        return _end(office, "done", f"{node.hostname} is a manager now. {quorum.survives(managers)}.")


def reject(office: Office, prefix: str, remove: bool) -> None:
    office.journal.tell(Began())
    with locked(office, "swarm", f"reject {prefix}") as lease:
        swarm = gather_swarm(office.inventory, office.connect)
        made = plan.rejection(swarm, prefix, remove)
        if isinstance(made, Refusal):
            return office.refuse(made)
        node = _pending(swarm, prefix)
        host = _host_of(office, node)
        office.journal.tell(reads.plan_event(made))
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
    why = approval.objection(request, asked, waiting.fingerprint, office.settings.rights, office.now())
    return f"Not done: {why}. Nothing was changed; this is how it is now." if why else None


# --- concluding -----------------------------------------------------------------------------------------------------


def _conclude(office: Office, host: Host, outlook: reads.Outlook, made: Plan) -> None:
    """A manager-to-be waits for a person, and so does what did not come back, and a store that nobody needs."""
    if not made.steps and not made.waits:
        return _end(office, "nothing", f"nothing to do: {host.name} is in the swarm, on the wanted Engine")
    after = containers.look(office, host) if made.steps else outlook.now.containers
    if made.steps:
        office.journal.tell(
            containers.census("after", replace(outlook.now, engine=upstream(made.target), containers=after))
        )
    summary = f"{host.name} is in the swarm."
    missing = containers.missing(made.steps, after)
    stopped = next((step.name for step in made.steps if isinstance(step, steps.StopStore)), "")
    if stopped:
        containers.tell_ports(office)
    if made.waits:
        also = (containers.not_back(host, missing), containers.unneeded(host, stopped))
        return office.journal.tell(replace(_waiting(office, host), summary=" ".join(filter(None, also))))
    if missing:
        also = (summary, containers.unneeded(host, stopped))
        return office.journal.tell(containers.ask(host, missing, " ".join(filter(None, also))))
    if stopped:
        return containers.offer_removal(office, host, stopped, summary)
    return _end(office, "done", summary)


def _waiting(office: Office, host: Host) -> Waiting:
    swarm = gather_swarm(office.inventory, office.connect)
    own = place(office.connect(host).info()).node
    return _shown(office, swarm, next(seen for seen in swarm.nodes if seen.id == own))


def _shown(office: Office, swarm: SwarmFacts, node: Node) -> Waiting:
    """The question, with the digest of all that a yes is of: who it is, where it is seen, what follows."""
    rights = office.settings.rights
    candidate = plan.candidate(_host_of(office, node), node)
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


def _host_of(office: Office, node: Node) -> Host:
    """The inventory's host behind a node: by the address a manager observed, never by the name the node claims."""
    for host in office.inventory.values():
        if host.address == node.address:
            return office.allowed(host)
    hint = "Give it to its host in imker.toml: [hosts.NAME] address."
    raise JobError(f"no host of the inventory has {node.address}, where node {node.id[:12]} is seen", hint=hint)
