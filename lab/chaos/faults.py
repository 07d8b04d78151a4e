"""The faults, by name. Each hits something that is there, says what, or "" when there was nothing to hit.

Of a host it says its name, of several their names with ", ".
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lab.chaos.processes import Supervised
from lab.simulated.fleet import Fleet
from lab.simulated.machine import Machine
from lab.simulated.nodes import Node
from lab.slack.client import Workspace

BLACK_HOLE, NO_APT, LOCKED, AWAY = 2.0, 1.0, 2.0, 3.0  # seconds


@dataclass(frozen=True)
class Targets:
    """All that can break."""

    processes: Supervised
    workspace: Workspace
    fleet: Fleet


Break = Callable[[Targets, random.Random], str]


@dataclass(frozen=True)
class OfSlack:
    """It waits for the next call: until that came, another of the kind would hit nothing."""

    kind: str
    method: str = "*"
    times: int = 1
    seconds: float = 1.0

    def __call__(self, at: Targets, chance: random.Random) -> str:
        if self.waits(at.workspace):
            return ""
        at.workspace.fault(self.kind, method=self.method, times=self.times, seconds=self.seconds)
        return self.method

    def waits(self, workspace: Workspace) -> bool:
        return (self.kind, self.method) in workspace.faults()


def _disconnect(at: Targets, chance: random.Random) -> str:
    connections = at.workspace.sockets()
    at.workspace.fault("disconnect")
    return f"{connections} connections" if connections else ""


def _one(at: Targets, chance: random.Random, fits: Callable[[Machine], object]) -> Machine | None:
    """One of the hosts that fit, rather one that somebody is connected to."""
    found = [machine for machine in at.fleet.world.machines.values() if fits(machine)]
    busy = [machine for machine in found if machine.name in at.fleet.connected()]
    return chance.choice(busy or found) if found else None


def _host(fits: Callable[[Targets, Machine], object], does: Callable[[Targets, Machine], object]) -> Break:
    """A fault of one host of those that fit."""

    def fault(at: Targets, chance: random.Random) -> str:
        machine = _one(at, chance, lambda machine: fits(at, machine))
        if machine is None:
            return ""
        does(at, machine)
        return machine.name

    return fault


def _later(seconds: float, does: Callable[..., object], *arguments: object) -> None:
    timer = threading.Timer(seconds, does, arguments)
    timer.daemon = True
    timer.start()


def _silent(at: Targets, machine: Machine) -> None:
    at.fleet.black_hole(machine.name)
    _later(BLACK_HOLE, at.fleet.black_hole, machine.name, False)


def _no_apt(at: Targets, machine: Machine) -> None:
    machine.apt_fails = True
    _later(NO_APT, setattr, machine, "apt_fails", False)


def _locked(at: Targets, machine: Machine) -> None:
    swarm = at.fleet.world.swarm
    swarm.lock(machine)
    _later(LOCKED, swarm.unlock, machine)


def _no_quorum(at: Targets, chance: random.Random) -> str:
    """Managers' hosts go until too few are left, and are back later."""
    nodes, gone = at.fleet.world.swarm.nodes, []
    for node in nodes.managers():
        if node.machine and nodes.quorum():
            at.fleet.reboot(node.machine.name, AWAY)
            gone.append(node.machine.name)
    return ", ".join(gone)


def _node(at: Targets, machine: Machine) -> Node | None:
    return at.fleet.world.swarm.node_of(machine)


def _has_ghost(at: Targets, machine: Machine) -> bool:
    nodes = list(at.fleet.world.swarm.nodes.values())
    return any(node.hostname == machine.name and node.machine is None for node in nodes)


def _may_be_locked(at: Targets, machine: Machine) -> bool:
    node = _node(at, machine)
    return node is not None and node.manages and node.answers


FAULTS: dict[str, Break] = {
    "bot killed": lambda at, chance: at.processes.kill("bot"),
    "reporter killed": lambda at, chance: at.processes.kill("reporter"),
    "RQ workers' crew killed": lambda at, chance: at.processes.kill("changes"),
    "reading RQ worker killed": lambda at, chance: at.processes.kill("reads"),
    "RQ worker killed": lambda at, chance: at.processes.kill_worker(),
    "job killed": lambda at, chance: at.processes.kill_job(),
    "Redis killed": lambda at, chance: at.processes.kill_redis(),
    "Slack: 429": OfSlack("ratelimited", times=3),
    "Slack: 5xx": OfSlack("server_error", times=3),
    "Slack: post's reply lost": OfSlack("drop_reply", "chat.postMessage"),
    "Slack: edit's reply lost": OfSlack("drop_reply", "chat.update"),
    "Slack: slow": OfSlack("latency", times=5),
    "Slack: envelope repeated": OfSlack("repeat", "socket"),
    "Slack: disconnected": _disconnect,
    "SSH cut": _host(lambda at, one: one.name in at.fleet.connected(), lambda at, one: at.fleet.cut(one.name)),
    "host rebooted": _host(lambda at, one: one.up, lambda at, one: at.fleet.reboot(one.name)),
    "host silent": _host(lambda at, one: one.name in at.fleet.connected() and not one.silent.is_set(), _silent),
    "apt fails": _host(lambda at, one: not one.apt_fails and _node(at, one) is None, _no_apt),
    "join goes on after Engine's no": _host(
        lambda at, one: _node(at, one) is None and one.name not in at.fleet.world.slow_joins,
        lambda at, one: at.fleet.world.slow_joins.add(one.name),
    ),
    "ghost of a node": _host(
        lambda at, one: _node(at, one) and not _has_ghost(at, one), lambda at, one: at.fleet.world.swarm.ghost(one)
    ),
    "drained by somebody else": _host(
        lambda at, one: (node := _node(at, one)) and node.availability == "active",
        lambda at, one: at.fleet.world.swarm.drain(one),
    ),
    "manager locked, unlocked later": _host(_may_be_locked, _locked),
    "no quorum, back later": _no_quorum,
}


def waiting(workspace: Workspace) -> list[str]:
    """Names of Slack's faults that nobody has come to yet."""
    return [name for name, fault in FAULTS.items() if isinstance(fault, OfSlack) and fault.waits(workspace)]


def chosen(number: int, seed: int) -> list[str]:
    """Names of so many faults, the same for the same seed; each kind about as often as the others."""
    chance = random.Random(seed)
    names = list(FAULTS)
    rounds = [chance.sample(names, len(names)) for _ in range(number // len(names) + 1)]
    return [name for round_ in rounds for name in round_][:number]
