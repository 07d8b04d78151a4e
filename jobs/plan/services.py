"""Plan changes of services from their current state. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from imker.protocol.next_command import NextCommand
from imker.protocol.service_commands import CreateService, RollBackService, ShowService
from imker.protocol.values import Finding
from jobs.facts.services.model import Placement, Service, ServiceFacts
from jobs.facts.services.placement import Room, find_room
from jobs.facts.services.reasons import placement_reasons
from jobs.plan.model import Plan, Refusal, compute_fingerprint
from jobs.steps import services as steps

MAX_NODES = 5  # names of nodes in a line
LOSES = (
    "After this change, a rollback no longer returns to the settings before that update. To return, roll back instead."
)


@dataclass(frozen=True)
class ServicePlan:
    """A plan for services. `asks`: a person has to start it; `diff`: of the settings."""

    plan: Plan
    asks: bool = False
    diff: str = ""

    @property
    def fingerprint(self) -> str:
        """Return what an approval is bound to: the steps, with digests of the Specs."""
        return compute_fingerprint(self.plan.steps)


@dataclass(frozen=True)
class Digests:
    """Digests of a service's Spec and of its previous one, "" for none."""

    spec: str
    previous: str = ""


def plan_creation(
    command: CreateService, facts: ServiceFacts, image: str, platforms: tuple[tuple[str, str], ...], finding: Finding
) -> ServicePlan | Refusal:
    """Plan to create a service. `image`: with its digest; `finding`: whether the image exists."""
    existing = next((service for service in facts.services if service.name == command.name), None)
    if existing and not _is_as_requested(existing, command):
        show = (NextCommand(ShowService(command.name), "see it"),)
        return Refusal(f"there is a service {command.name} already, with other settings", next_commands=show)
    if existing:
        return ServicePlan(
            Plan(() if existing.is_healthy else (steps.AwaitConvergence(command.name, is_rollback=True),))
        )
    host_ports = tuple((port.published, port.protocol) for port in command.ports if port.on_host)
    placement = Placement(command.constraints, platforms, host_ports=host_ports)
    fit = _room_findings("", command.name, placement, command.replicas, facts)
    findings = [finding, *_port_findings(command, facts), *fit]
    room = describe_room(find_room("", placement, facts.nodes, facts.tasks))
    step = steps.CreateService(
        command.name, image, command.replicas, command.ports, command.constraints, platforms, room
    )  # fmt: skip
    return ServicePlan(Plan((step, steps.AwaitConvergence(command.name)), tuple(findings)), asks=True)


def plan_scale(targets: Sequence[tuple[Service, int, Digests]], facts: ServiceFacts) -> ServicePlan | Refusal:
    """Plan to change the number of replicas. Services that have it already are left out."""
    for service, _, _ in targets:
        if service.mode != "replicated":
            kind = "runs one task on each node" if service.is_global else "is a job"
            return Refusal(f"{service.name} is {service.mode} and cannot be scaled: it {kind}")
        if service.is_updating:
            return _refuse_during_update(service)
    changes = [each for each in targets if each[0].replicas != each[1]]
    findings = [finding for service, number, _ in changes for finding in _scale_findings(service, number, facts)]
    scale_steps = [_scale_step(*change, facts) for change in changes]
    changed = {service.name for service, _, _ in changes}
    waits = [
        steps.AwaitConvergence(service.name, is_rollback=service.name not in changed)
        for service, _, _ in targets
        if service.name in changed or not service.is_healthy
    ]
    asks = any(_asks(service, number, facts) for service, number, _ in changes)
    return ServicePlan(Plan((*scale_steps, *waits), tuple(findings)), asks)


def plan_restart(service: Service, digests: Digests) -> ServicePlan | Refusal:
    """Plan to replace all tasks of a service."""
    if service.is_updating:
        return _refuse_during_update(service)
    if service.is_job:
        return Refusal(f"{service.name} is a job and cannot be restarted")
    findings = [*_paused_findings(service), *_single_findings(service)]
    plan_steps = (steps.RestartService(service.name, digests.spec), steps.AwaitConvergence(service.name))
    return ServicePlan(Plan(plan_steps, tuple(findings)), asks=service.is_update_stopped)


def plan_rollback(service: Service, digests: Digests) -> ServicePlan | Refusal:
    """Plan to return to the previous settings. It always asks."""
    show = (NextCommand(ShowService(service.name), "see it"),)
    if service.update_state == "rollback_started":
        return Refusal(f"a rollback of {service.name} is running already", next_commands=show)
    if not digests.previous:
        return Refusal(f"{service.name} has no previous settings to return to", next_commands=show)
    findings = [*_stack_findings(service), *_previous_findings(service)]
    if service.is_updating:
        text = f"an update of {service.name} is running; the rollback ends it"
        findings.append(Finding("update", "warn", text))
    step = steps.RollBackService(service.name, digests.spec, digests.previous)
    wait = steps.AwaitConvergence(service.name, is_rollback=True)
    return ServicePlan(Plan((step, wait), tuple(findings)), asks=True)


def describe_room(room: Room) -> str:
    """Return which nodes have room for another task, such as "3 of 8 nodes have room: a, b, c"."""
    names = sorted(each.node.node.hostname for each in room.fitting)
    listed = ", ".join(names[:MAX_NODES]) + (f" and {len(names) - MAX_NODES} more" if len(names) > MAX_NODES else "")
    return f"{len(names)} of {len(room.nodes)} nodes have room" + (f": {listed}" if names else "")


def _is_as_requested(service: Service, command: CreateService) -> bool:
    ports = {(port.published, port.target, port.protocol, port.mode) for port in service.ports}
    requested = {(p.published, p.target, p.protocol, "host" if p.on_host else "ingress") for p in command.ports}
    return (service.image, service.mode, service.replicas, service.placement.constraints, ports) == (
        command.image, "replicated", command.replicas, command.constraints, requested,
    )  # fmt: skip


def _refuse_during_update(service: Service) -> Refusal:
    rollback = service.update_state == "rollback_started"
    text = f"{'a rollback' if rollback else 'an update'} of {service.name} is running"
    next_commands: tuple[NextCommand, ...] = (NextCommand(ShowService(service.name), "see how far it is"),)
    if not rollback:
        next_commands += (NextCommand(RollBackService(service.name), "end it and return to the previous settings"),)
    return Refusal(text, "Wait until it has ended.", "update", next_commands)


def _scale_step(service: Service, number: int, digests: Digests, facts: ServiceFacts) -> steps.ScaleService:
    before = service.replicas or 0
    room = describe_room(find_room(service.id, service.placement, facts.nodes, facts.tasks)) if number > before else ""
    return steps.ScaleService(service.name, before, number, digests.spec, room)


def _asks(service: Service, number: int, facts: ServiceFacts) -> bool:
    """Return whether the change stops the service or more than half of it, cannot fit, or follows a paused update."""
    before = service.replicas or 0
    if service.is_update_stopped:
        return True
    return (number == 0 < before) or number * 2 < before or bool(
        _room_findings(service.id, service.name, service.placement, number - before, facts)
    )  # fmt: skip


def _scale_findings(service: Service, number: int, facts: ServiceFacts) -> list[Finding]:
    before = service.replicas or 0
    findings = [*_stack_findings(service), *_paused_findings(service)]
    if number == 0 < before:
        findings.append(Finding("scale", "warn", f"{service.name} stops: no task will run"))
    elif number * 2 < before:
        findings.append(Finding("scale", "warn", f"more than half of the tasks of {service.name} stop"))
    return [*findings, *_room_findings(service.id, service.name, service.placement, number - before, facts)]


def _room_findings(service_id: str, name: str, placement: Placement, number: int, facts: ServiceFacts) -> list[Finding]:
    """Return a warning if not all of the further tasks fit. Without any node that fits, a new service is refused."""
    room = find_room(service_id, placement, facts.nodes, facts.tasks)
    if number <= 0 or room.tasks >= number:
        return []
    reasons = "; ".join(_reasons(service_id, placement, room, facts))
    level = "warn" if service_id or room.tasks else "block"
    fit = f"only {room.tasks} of {number} further tasks of {name} fit" if room.tasks else f"no node fits {name}"
    return [Finding("placement", "block" if level == "block" else "warn", f"{fit}: {reasons}")]


def _reasons(service_id: str, placement: Placement, room: Room, facts: ServiceFacts) -> tuple[str, ...]:
    """Return why no task fits beyond those that do: on the nodes that have room, that room is used up."""
    if not room.fitting:
        return placement_reasons(service_id, placement, facts)
    limits = [f"{placement.max_per_node} per node"] * bool(placement.max_per_node)
    limits += ["the memory that it reserves"] * bool(placement.reserved.memory)
    limits += ["the CPUs that it reserves"] * bool(placement.reserved.nano_cpus)
    limits += ["its published port, once on each node"] * bool(placement.host_ports)
    return (f"{describe_room(room)}; the limit is {' and '.join(limits)}",)


def _port_findings(command: CreateService, facts: ServiceFacts) -> list[Finding]:
    """Return a block for each port that another service publishes on every node."""
    publishers = {
        (port.published, port.protocol): service.name
        for service in facts.services
        for port in service.ports
        if port.mode == "ingress" and port.published
    }
    clashes = [port for port in command.ports if (port.published, port.protocol) in publishers]
    texts = (f"{p.published}/{p.protocol} is published by {publishers[p.published, p.protocol]}" for p in clashes)
    return [Finding("port", "block", f"port {text}") for text in texts]


def _stack_findings(service: Service) -> list[Finding]:
    if not service.stack:
        return []
    text = f"{service.name} belongs to stack {service.stack}: its next deploy will undo this change"
    return [Finding("stack", "warn", text, "Change the stack's file too.")]


def _paused_findings(service: Service) -> list[Finding]:
    """Return a warning that a change now makes the settings that failed the previous ones."""
    if not service.is_update_stopped:
        return []
    kind = "rollback" if service.update_state == "rollback_paused" else "update"
    return [Finding("update", "warn", f"the {kind} of {service.name} is paused: {service.update_message}", LOSES)]


def _single_findings(service: Service) -> list[Finding]:
    if service.replicas != 1 or service.update.order == "start-first":
        return []
    return [Finding("restart", "warn", f"{service.name} has one task and is down while it is replaced")]


def _previous_findings(service: Service) -> list[Finding]:
    if service.update_state not in ("rollback_completed", "rollback_paused"):
        return []
    text = f"{service.name} was rolled back before: this returns to the settings that were left then"
    return [Finding("rollback", "warn", text)]
