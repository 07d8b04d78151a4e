"""Commands about a host's containers: the census, and those that did not come back."""

from typing import Literal

from jobs import gather, outlook, plan, steps
from jobs.contract import Began, Census, ContainerRow, Ended, StartContainers, Waiting
from jobs.facts import Container, HostFacts
from jobs.inventory import Host
from jobs.office import Office
from jobs.stepping import carry_out, locked
from jobs.typed import typed


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
        office.journal.tell(outlook.plan_event(plan.Plan((step,))))
        carry_out(office, host, (step,), (), lease)
        left = missing((step,), look(office, host))
    if left:
        return office.journal.tell(ask(host, left, f"Tried again on {name}."))
    return office.journal.tell(Ended("done", f"all run on {name}: {', '.join(names)}"))
