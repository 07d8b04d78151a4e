"""Retire an unused key-value store: offer it, stop it after a first approval, remove it after a second."""

from dataclasses import replace

from imker.protocol.commands import RetireStore
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted, ThreadDetail
from imker.protocol.next_command import NextCommand
from jobs import plan, steps
from jobs.context import JobContext
from jobs.execute.exclusive import hold_lock
from jobs.execute.runner import run_host_steps
from jobs.facts.classic_swarm import KeyValueStore
from jobs.gather import key_value_stores
from jobs.gather.key_value_stores import UnusedStore
from jobs.handlers import confirmation, containers, plan_events
from jobs.handlers.dispatcher import dispatch

PORTS_TEXT = """\
{when} you can close these ports on {host}: TCP {published} and, for Consul, TCP 8300, 8301, 8302 and UDP 8301, 8302.
You can also close TCP 3376 on the master of this classic Swarm.
Keep these ports open between the nodes:
  TCP 2377 (to managers), TCP and UDP 7946, UDP 4789, and IP protocol 50 for encrypted overlay networks
UDP 4789 carries unprotected overlay traffic. Never open it to other networks.
Keep TCP 2376, the Engine API, open to docker-machine and to Imker."""


@dispatch.register
def retire_store(command: RetireStore, context: JobContext) -> None:
    """Stop the store if it is unused. Remove it only after an approval of the removal."""
    name = command.host
    host = context.find_host(name)
    context.events.emit(JobStarted(name))
    with hold_lock(context, f"host:{name}", f"retire the key-value store on {name}") as lease:
        store = key_value_stores.find_store(context, host, containers.gather_containers(context, host))
        if store is None:
            summary = f"nothing to do: no container on {name} is a key-value store of a classic Swarm"
            return context.events.emit(JobFinished("unchanged", summary))
        if store.users:
            summary = f"{', '.join(store.users)} may still use {store.container.name}"
            return context.report_refusal(plan.Refusal(summary, "Migrate these hosts first."))
        step = _next_step(context, store)
        retirement = plan.Plan((step,))
        context.events.emit(plan_events.build_plan_event(retirement))
        if question := confirmation.start_question(context, name, retirement):
            return context.events.emit(question)
        run_host_steps(context, host, (step,), (), lease)
    if isinstance(step, steps.RemoveStore):
        return context.events.emit(JobFinished("done", f"Removed {step.name} from {name}. Its volumes are kept"))
    after_stop = UnusedStore(
        host, KeyValueStore(replace(store.container, running=False, restart_policy="no")), in_swarm=True
    )
    report_ports(context, after_stop)
    return context.events.emit(removal_question(after_stop, ""))


def removal_question(unused: UnusedStore, summary: str) -> DecisionRequested:
    """Return the question whether to stop the store, or to remove it if it is stopped. `summary`: said before it."""
    name, host = unused.store.container.name, unused.host.name
    if unused.store.stopped:
        text = f"{summary} {name} on {host} is stopped and unused. Remove it? Its volumes are kept."
        fingerprint = plan.compute_fingerprint(name)
        return DecisionRequested("remove_store", fingerprint, host=host, names=(name,), summary=text.lstrip())
    text = f"{summary} No host uses {name} on {host} anymore. Stop it? Its data is kept."
    fingerprint = plan.compute_fingerprint("stop", name)
    return DecisionRequested("stop_store", fingerprint, host=host, names=(name,), summary=text)


def removal_hint(unused: UnusedStore | None) -> str:
    """Return that the store can be stopped or removed, for a message that asks something else. "" without a store."""
    if unused is None:
        return ""
    name, host = unused.store.container.name, unused.host.name
    if unused.store.stopped:
        return f"{name} on {host} is stopped and unused."
    migrating = "" if unused.in_swarm else f" Migrating {host} stops it as well."
    return f"No host uses the key-value store {name} on {host} anymore.{migrating}"


def removal_commands(unused: UnusedStore | None) -> tuple[NextCommand, ...]:
    """Return the command that stops the store, or removes it if it is stopped."""
    if unused is None:
        return ()
    purpose = f"{'remove' if unused.store.stopped else 'stop'} {unused.store.container.name}"
    return (NextCommand(RetireStore(unused.host.name), purpose),)


def report_ports(context: JobContext, unused: UnusedStore) -> None:
    """Add to the thread which ports can be closed, and which must stay open."""
    store = unused.store
    published = ", ".join(port.split("->")[0].split("/")[0] for port in store.container.ports)
    when = "Now" if store.stopped else "When the store is stopped,"
    text = PORTS_TEXT.format(when=when, host=unused.host.name, published=published)
    context.events.emit(ThreadDetail("Ports after the migration from the classic Swarm", text))


def _next_step(context: JobContext, store: KeyValueStore) -> steps.Step:
    name = store.container.name
    removal = plan.compute_fingerprint(name)
    is_approved = any(approval.fingerprint == removal for approval in context.request.approvals)
    return steps.RemoveStore(name) if is_approved and not store.container.running else steps.StopStore(name)
