"""Commands about a host's containers: the census, those that did not come back, the store that nobody needs."""

from typing import Literal

from jobs import gather, plan, reads, steps
from jobs.contract import Began, Census, ContainerRow, Detail, Ended, RetireStore, StartContainers, Waiting
from jobs.facts import Container, HostFacts
from jobs.inventory import Host
from jobs.office import Office
from jobs.stepping import carry_out, locked
from jobs.typed import typed

PORTS = """\
Nobody needs these any more, on no host; they can be closed:
  TCP 8500, 8300, 8301, 8302 and UDP 8301, 8302 (Consul), TCP 3376 (the classic Swarm's master)
These have to stay open between the nodes:
  TCP 2377 (to managers), TCP and UDP 7946, UDP 4789; and IP protocol 50 for encrypted overlay networks
UDP 4789 carries overlay networks without a password: never open it to other networks.
TCP 2376, the Engines' API, has to stay open to docker-machine and to Imker."""


def census(when: Literal["before", "after"], now: HostFacts) -> Census:
    rows = (
        ContainerRow(one.name, one.image, one.running, one.restart, one.ports, one.networks) for one in now.containers
    )
    return Census(when, now.name, now.engine, tuple(rows))


def look(office: Office, host: Host) -> tuple[Container, ...]:
    with office.shell(host) as shell:
        return gather.containers(shell)


def missing(plan_steps: tuple[steps.Step, ...], after: tuple[Container, ...]) -> tuple[str, ...]:
    """Of the containers that a plan saw running before, those that do not run now."""
    wanted = [name for step in plan_steps if isinstance(step, steps.StartContainers) for name in step.names]
    running = {one.name for one in after if one.running}
    return tuple(name for name in wanted if name not in running)


def not_back(host: Host, names: tuple[str, ...]) -> str:
    """ "" when there are none."""
    return f"{_down(names)} Again: {typed(StartContainers(host.name, names))}." if names else ""


def unneeded(host: Host, store: str) -> str:
    """ "" when none was stopped."""
    return (
        f"{store} is stopped, and nobody needs it any more. Remove it: {typed(RetireStore(host.name))}."
        if store
        else ""
    )


def _down(names: tuple[str, ...]) -> str:
    return f"These ran before and do not run now: {', '.join(names)}. The thread says why."


def ask(host: Host, names: tuple[str, ...], summary: str) -> Waiting:
    text = f"{summary} {_down(names)}"
    return Waiting("containers", plan.fingerprint(names), host=host.name, names=names, summary=text)


def start(office: Office, name: str, names: tuple[str, ...]) -> None:
    """Starts containers by name; what still does not run is asked about again."""
    host = office.host(name)
    office.journal.tell(Began(name))
    with locked(office, f"host:{name}", f"start containers on {name}") as lease:
        there = {one.name for one in look(office, host)}
        strangers = [one for one in names if one not in there]
        if strangers:
            return office.refuse(
                plan.Refusal(f"{name} has no container {', '.join(strangers)}", "Nothing was started.")
            )
        step = steps.StartContainers(names)
        office.journal.tell(reads.plan_event(plan.Plan((step,))))
        carry_out(office, host, (step,), (), lease)
        left = missing((step,), look(office, host))
    if left:
        return office.journal.tell(ask(host, left, f"Tried again on {name}."))
    return office.journal.tell(Ended("done", f"all run on {name}: {', '.join(names)}"))


def retire_store(office: Office, name: str) -> None:
    """Stopped at once when nobody needs it; removed only after a yes to just that."""
    host = office.host(name)
    office.journal.tell(Began(name))
    with locked(office, f"host:{name}", f"retire the key-value store on {name}") as lease:
        store = next((one for one in look(office, host) if one.is_store), None)
        if store is None:
            return office.journal.tell(Ended("nothing", f"nothing to do: there is no key-value store on {name}"))
        users = reads.store_users(office, host)
        if users:
            return office.refuse(plan.Refusal(f"{', '.join(users)} may still need {store.name}", "Migrate them first."))
        step = _next_step(office, store)
        office.journal.tell(reads.plan_event(plan.Plan((step,))))
        carry_out(office, host, (step,), (), lease)
    if isinstance(step, steps.RemoveStore):
        return office.journal.tell(Ended("done", f"{store.name} is gone from {name}; its volumes stay"))
    tell_ports(office)
    return offer_removal(office, host, store.name, "")


def tell_ports(office: Office) -> None:
    office.journal.tell(Detail("Ports, now that the classic Swarm is gone", PORTS))


def offer_removal(office: Office, host: Host, store: str, summary: str) -> None:
    text = (
        f"{summary} {store} is stopped, and nobody needs it any more. Remove it? Its volumes stay either way.".lstrip()
    )
    office.journal.tell(Waiting("store", plan.fingerprint(store), host=host.name, names=(store,), summary=text))


def _next_step(office: Office, store: Container) -> steps.Step:
    yes = any(approval.fingerprint == plan.fingerprint(store.name) for approval in office.request.approvals)
    return steps.RemoveStore(store.name) if yes and not store.running else steps.StopStore(store.name)
