"""The end of a key-value store that nobody needs: offered, stopped at a first click, removed at a second."""

from dataclasses import replace

from imker.protocol.command_text import format_command
from imker.protocol.commands import RetireStore
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted, ThreadDetail
from jobs import plan, steps
from jobs.context import JobContext
from jobs.execute.runner import hold_lock, run_host_steps
from jobs.facts.classic_swarm import KeyValueStore
from jobs.gather import key_value_stores
from jobs.gather.key_value_stores import UnusedStore
from jobs.handlers import containers, plan_events

PORTS_TEXT = """\
{now} can be closed on {host}: TCP {published} and, if it is Consul, 8300, 8301, 8302, UDP 8301, 8302.
So can TCP 3376 on the master of this classic Swarm.
These have to stay open between the nodes:
  TCP 2377 (to managers), TCP and UDP 7946, UDP 4789; and IP protocol 50 for encrypted overlay networks
UDP 4789 carries overlay networks without any protection: never open it to other networks.
TCP 2376, the Engines' API, has to stay open to docker-machine and to Imker."""


def retire_store(context: JobContext, name: str) -> None:
    """Stopped at once when nobody needs it; removed only after a yes to just that."""
    host = context.find_host(name)
    context.events.emit(JobStarted(name))
    with hold_lock(context, f"host:{name}", f"retire the key-value store on {name}") as lease:
        store = key_value_stores.find_store(context, host, containers.gather_containers(context, host))
        if store is None:
            summary = f"nothing to do: no container on {name} is a key-value store of a classic Swarm"
            return context.events.emit(JobFinished("unchanged", summary))
        if store.users:
            summary = f"{', '.join(store.users)} may still need {store.container.name}"
            return context.report_refusal(plan.Refusal(summary, "Migrate them first."))
        step = _next_step(context, store)
        context.events.emit(plan_events.build_plan_event(plan.Plan((step,))))
        run_host_steps(context, host, (step,), (), lease)
    if isinstance(step, steps.RemoveStore):
        return context.events.emit(JobFinished("done", f"{step.name} is gone from {name}; its volumes stay"))
    after_stop = UnusedStore(
        host, KeyValueStore(replace(store.container, running=False, restart_policy="no")), in_swarm=True
    )
    report_ports(context, after_stop)
    return context.events.emit(removal_question(after_stop, ""))


def removal_question(unused: UnusedStore, summary: str) -> DecisionRequested:
    """To stop it, or, when it is stopped, to remove it."""
    name, host = unused.store.container.name, unused.host.name
    if unused.store.stopped:
        text = f"{summary} {name} on {host} is stopped, and nobody needs it any more. Remove it? Its volumes stay."
        return DecisionRequested(
            "remove_store", plan.compute_fingerprint(name), host=host, names=(name,), summary=text.lstrip()
        )
    text = f"{summary} Nobody needs {name} on {host} any more. Stop it? Its data stays."
    return DecisionRequested(
        "stop_store", plan.compute_fingerprint("stop", name), host=host, names=(name,), summary=text
    )


def removal_hint(unused: UnusedStore | None) -> str:
    """For where something else is asked, or nothing; "" when there is none."""
    if unused is None:
        return ""
    name, host, command = unused.store.container.name, unused.host.name, format_command(RetireStore(unused.host.name))
    if unused.store.stopped:
        return f"{name} on {host} is stopped, and nobody needs it any more. Remove it: {command}."
    migrating = "" if unused.in_swarm else f" To migrate {host} stops it as well."
    return f"Nobody needs the key-value store {name} on {host} any more. Stop it: {command}.{migrating}"


def report_ports(context: JobContext, unused: UnusedStore) -> None:
    store = unused.store
    published = ", ".join(port.split("->")[0].split("/")[0] for port in store.container.ports)
    now = "These" if store.stopped else "Once it is stopped, these"
    text = PORTS_TEXT.format(now=now, host=unused.host.name, published=published)
    context.events.emit(ThreadDetail("Ports, now that the classic Swarm is gone", text))


def _next_step(context: JobContext, store: KeyValueStore) -> steps.Step:
    name = store.container.name
    yes = any(approval.fingerprint == plan.compute_fingerprint(name) for approval in context.request.approvals)
    return steps.RemoveStore(name) if yes and not store.container.running else steps.StopStore(name)
