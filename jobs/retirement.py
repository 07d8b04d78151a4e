"""The end of a key-value store that nobody needs: offered, stopped at a first click, removed at a second."""

from dataclasses import replace

from jobs import containers, outlook, plan, steps, stores
from jobs.classic import Store
from jobs.contract import Began, Detail, Ended, RetireStore, Waiting
from jobs.office import Office
from jobs.stepping import carry_out, locked
from jobs.stores import Idle
from jobs.typed import typed

PORTS = """\
{now} can be closed on {host}: TCP {published} and, if it is Consul, 8300, 8301, 8302, UDP 8301, 8302.
So can TCP 3376 on the master of this classic Swarm.
These have to stay open between the nodes:
  TCP 2377 (to managers), TCP and UDP 7946, UDP 4789; and IP protocol 50 for encrypted overlay networks
UDP 4789 carries overlay networks without any protection: never open it to other networks.
TCP 2376, the Engines' API, has to stay open to docker-machine and to Imker."""


def retire_store(office: Office, name: str) -> None:
    """Stopped at once when nobody needs it; removed only after a yes to just that."""
    host = office.host(name)
    office.journal.tell(Began(name))
    with locked(office, f"host:{name}", f"retire the key-value store on {name}") as lease:
        store = stores.find(office, host, containers.look(office, host))
        if store is None:
            summary = f"nothing to do: no container on {name} is a key-value store of a classic Swarm"
            return office.journal.tell(Ended("nothing", summary))
        if store.users:
            summary = f"{', '.join(store.users)} may still need {store.container.name}"
            return office.refuse(plan.Refusal(summary, "Migrate them first."))
        step = _next_step(office, store)
        office.journal.tell(outlook.plan_event(plan.Plan((step,))))
        carry_out(office, host, (step,), (), lease)
    if isinstance(step, steps.RemoveStore):
        return office.journal.tell(Ended("done", f"{step.name} is gone from {name}; its volumes stay"))
    stopped = Idle(host, Store(replace(store.container, running=False, restart="no")), inside=True)
    tell_ports(office, stopped)
    return office.journal.tell(ask(stopped, ""))


def ask(idle: Idle, summary: str) -> Waiting:
    """To stop it, or, when it is stopped, to remove it."""
    name, host = idle.store.container.name, idle.host.name
    if idle.store.stopped:
        text = f"{summary} {name} on {host} is stopped, and nobody needs it any more. Remove it? Its volumes stay."
        return Waiting("store", plan.fingerprint(name), host=host, names=(name,), summary=text.lstrip())
    text = f"{summary} Nobody needs {name} on {host} any more. Stop it? Its data stays."
    return Waiting("stop", plan.fingerprint("stop", name), host=host, names=(name,), summary=text)


def later(idle: Idle | None) -> str:
    """For where something else is asked, or nothing; "" when there is none."""
    if idle is None:
        return ""
    name, host, command = idle.store.container.name, idle.host.name, typed(RetireStore(idle.host.name))
    if idle.store.stopped:
        return f"{name} on {host} is stopped, and nobody needs it any more. Remove it: {command}."
    migrating = "" if idle.inside else f" To migrate {host} stops it as well."
    return f"Nobody needs the key-value store {name} on {host} any more. Stop it: {command}.{migrating}"


def tell_ports(office: Office, idle: Idle) -> None:
    store = idle.store
    published = ", ".join(port.split("->")[0].split("/")[0] for port in store.container.ports)
    now = "These" if store.stopped else "Once it is stopped, these"
    text = PORTS.format(now=now, host=idle.host.name, published=published)
    office.journal.tell(Detail("Ports, now that the classic Swarm is gone", text))


def _next_step(office: Office, store: Store) -> steps.Step:
    name = store.container.name
    yes = any(approval.fingerprint == plan.fingerprint(name) for approval in office.request.approvals)
    return steps.RemoveStore(name) if yes and not store.container.running else steps.StopStore(name)
