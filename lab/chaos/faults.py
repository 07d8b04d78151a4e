"""The faults by name. Each returns its target, "" if there was nothing to hit.

The target of a host fault is the host name. Several names are joined with ", ".
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lab.chaos.supervisor import Supervisor
from lab.simulated.fleet import Fleet
from lab.simulated.machine import Machine
from lab.simulated.nodes import Node
from lab.slack.client import Workspace

SILENCE_SECONDS, APT_FAILURE_SECONDS, LOCK_SECONDS, REBOOT_SECONDS = 2.0, 1.0, 2.0, 3.0  # seconds


@dataclass(frozen=True)
class Targets:
    """Everything that faults can hit."""

    processes: Supervisor
    workspace: Workspace
    fleet: Fleet


InjectFault = Callable[[Targets, random.Random], str]


@dataclass(frozen=True)
class SlackFault:
    """A fault that hits the next Slack API call. While it waits for one, no second fault of its kind is set."""

    kind: str
    method: str = "*"
    times: int = 1
    seconds: float = 1.0

    def __call__(self, targets: Targets, rng: random.Random) -> str:
        if self.is_pending(targets.workspace):
            return ""
        targets.workspace.set_fault(self.kind, method=self.method, times=self.times, seconds=self.seconds)
        return self.method

    def is_pending(self, workspace: Workspace) -> bool:
        return (self.kind, self.method) in workspace.pending_faults()


def _disconnect(targets: Targets, rng: random.Random) -> str:
    connections = targets.workspace.connection_count()
    targets.workspace.set_fault("disconnect")
    return f"{connections} connections" if connections else ""


def _pick_host(targets: Targets, rng: random.Random, is_eligible: Callable[[Machine], object]) -> Machine | None:
    """Pick an eligible host, preferably one with an open SSH connection."""
    candidates = [machine for machine in targets.fleet.world.machines.values() if is_eligible(machine)]
    busy = [machine for machine in candidates if machine.name in targets.fleet.connected_hosts()]
    return rng.choice(busy or candidates) if candidates else None


def _host_fault(
    is_eligible: Callable[[Targets, Machine], object], inject: Callable[[Targets, Machine], object]
) -> InjectFault:
    """Return a fault that hits one eligible host."""

    def fault(targets: Targets, rng: random.Random) -> str:
        machine = _pick_host(targets, rng, lambda machine: is_eligible(targets, machine))
        if machine is None:
            return ""
        inject(targets, machine)
        return machine.name

    return fault


def _after(seconds: float, action: Callable[..., object], *arguments: object) -> None:
    timer = threading.Timer(seconds, action, arguments)
    timer.daemon = True
    timer.start()


def _silence(targets: Targets, machine: Machine) -> None:
    targets.fleet.set_silent(machine.name)
    _after(SILENCE_SECONDS, targets.fleet.set_silent, machine.name, False)


def _break_apt(targets: Targets, machine: Machine) -> None:
    machine.apt_fails = True
    _after(APT_FAILURE_SECONDS, setattr, machine, "apt_fails", False)


def _lock_manager(targets: Targets, machine: Machine) -> None:
    swarm = targets.fleet.world.swarm
    swarm.lock_manager(machine)
    _after(LOCK_SECONDS, swarm.unlock_manager, machine)


def _lose_quorum(targets: Targets, rng: random.Random) -> str:
    """Reboot hosts of managers until the swarm has no quorum. They come up again later."""
    nodes, rebooted = targets.fleet.world.swarm.nodes, []
    for node in nodes.managers():
        if node.machine and nodes.has_quorum():
            targets.fleet.reboot(node.machine.name, REBOOT_SECONDS)
            rebooted.append(node.machine.name)
    return ", ".join(rebooted)


def _node_of(targets: Targets, machine: Machine) -> Node | None:
    return targets.fleet.world.swarm.node_of(machine)


def _has_ghost(targets: Targets, machine: Machine) -> bool:
    nodes = list(targets.fleet.world.swarm.nodes.values())
    return any(node.hostname == machine.name and node.machine is None for node in nodes)


def _can_be_locked(targets: Targets, machine: Machine) -> bool:
    node = _node_of(targets, machine)
    return node is not None and node.is_manager and node.is_reachable


FAULTS: dict[str, InjectFault] = {
    "bot killed": lambda targets, rng: targets.processes.kill("bot"),
    "reconciler killed": lambda targets, rng: targets.processes.kill("reconciler"),
    "RQ worker pool killed": lambda targets, rng: targets.processes.kill("changes"),
    "RQ worker for reads killed": lambda targets, rng: targets.processes.kill("reads"),
    "RQ worker killed": lambda targets, rng: targets.processes.kill_worker(),
    "job killed": lambda targets, rng: targets.processes.kill_job(),
    "Redis killed": lambda targets, rng: targets.processes.kill_redis(),
    "Slack: 429": SlackFault("ratelimited", times=3),
    "Slack: 5xx": SlackFault("server_error", times=3),
    "Slack: post's reply lost": SlackFault("drop_reply", "chat.postMessage"),
    "Slack: edit's reply lost": SlackFault("drop_reply", "chat.update"),
    "Slack: slow": SlackFault("latency", times=5),
    "Slack: envelope repeated": SlackFault("repeat", "socket"),
    "Slack: disconnected": _disconnect,
    "SSH reset": _host_fault(
        lambda targets, machine: machine.name in targets.fleet.connected_hosts(),
        lambda targets, machine: targets.fleet.reset_ssh(machine.name),
    ),
    "host rebooted": _host_fault(
        lambda targets, machine: machine.is_up, lambda targets, machine: targets.fleet.reboot(machine.name)
    ),
    "host silent": _host_fault(
        lambda targets, machine: machine.name in targets.fleet.connected_hosts() and not machine.silent.is_set(),
        _silence,
    ),
    "apt fails": _host_fault(
        lambda targets, machine: not machine.apt_fails and _node_of(targets, machine) is None, _break_apt
    ),
    "join continues after a timeout": _host_fault(
        lambda targets, machine: (
            _node_of(targets, machine) is None and machine.name not in targets.fleet.world.slow_joins
        ),
        lambda targets, machine: targets.fleet.world.slow_joins.add(machine.name),
    ),
    "stale node": _host_fault(
        lambda targets, machine: _node_of(targets, machine) and not _has_ghost(targets, machine),
        lambda targets, machine: targets.fleet.world.swarm.add_ghost(machine),
    ),
    "drained by another user": _host_fault(
        lambda targets, machine: (node := _node_of(targets, machine)) and node.availability == "active",
        lambda targets, machine: targets.fleet.world.swarm.drain(machine),
    ),
    "manager locked for a while": _host_fault(_can_be_locked, _lock_manager),
    "quorum lost for a while": _lose_quorum,
}


def pending_slack_faults(workspace: Workspace) -> list[str]:
    """Return the names of Slack faults that no call has hit yet."""
    return [name for name, fault in FAULTS.items() if isinstance(fault, SlackFault) and fault.is_pending(workspace)]


def choose_faults(number: int, seed: int) -> list[str]:
    """Return that many fault names, the same for the same seed, each fault about equally often."""
    rng = random.Random(seed)
    names = list(FAULTS)
    rounds = [rng.sample(names, len(names)) for _ in range(number // len(names) + 1)]
    return [name for round_ in rounds for name in round_][:number]
