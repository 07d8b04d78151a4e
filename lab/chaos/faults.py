"""The faults, by name. Each hits something that is there, says what, or "" when there was nothing to hit."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lab.chaos.processes import Supervised
from lab.simulated.fleet import Fleet
from lab.slack.client import Workspace

BLACK_HOLE, NO_APT = 2.0, 1.0  # seconds


@dataclass(frozen=True)
class Targets:
    """All that can break."""

    processes: Supervised
    workspace: Workspace
    fleet: Fleet


Break = Callable[[Targets, random.Random], str]


def _slack(kind: str, method: str = "*", times: int = 1, seconds: float = 1.0) -> Break:
    def fault(at: Targets, chance: random.Random) -> str:
        at.workspace.fault(kind, method=method, times=times, seconds=seconds)
        return method

    return fault


def _disconnect(at: Targets, chance: random.Random) -> str:
    at.workspace.fault("disconnect")
    return "all connections"


def _cut(at: Targets, chance: random.Random) -> str:
    host = chance.choice(at.fleet.hosts).name
    at.fleet.cut(host)
    return host


def _reboot(at: Targets, chance: random.Random) -> str:
    host = chance.choice(at.fleet.hosts).name
    if not at.fleet[host].up:
        return ""
    at.fleet.reboot(host)
    return host


def _black_hole(at: Targets, chance: random.Random) -> str:
    host = chance.choice(at.fleet.hosts).name
    at.fleet.black_hole(host)
    threading.Timer(BLACK_HOLE, at.fleet.black_hole, (host, False)).start()
    return host


def _no_apt(at: Targets, chance: random.Random) -> str:
    machine = at.fleet[chance.choice(at.fleet.hosts).name]
    machine.apt_fails = True
    threading.Timer(NO_APT, setattr, (machine, "apt_fails", False)).start()
    return machine.name


FAULTS: dict[str, Break] = {
    "bot killed": lambda at, chance: at.processes.kill("bot"),
    "reporter killed": lambda at, chance: at.processes.kill("reporter"),
    "RQ workers' crew killed": lambda at, chance: at.processes.kill("changes"),
    "reading RQ worker killed": lambda at, chance: at.processes.kill("reads"),
    "RQ worker killed": lambda at, chance: at.processes.kill_worker(),
    "job killed": lambda at, chance: at.processes.kill_job(),
    "Redis killed": lambda at, chance: at.processes.kill_redis(),
    "Slack: 429": _slack("ratelimited", times=3),
    "Slack: 5xx": _slack("server_error", times=3),
    "Slack: post's reply lost": _slack("drop_reply", "chat.postMessage"),
    "Slack: edit's reply lost": _slack("drop_reply", "chat.update"),
    "Slack: slow": _slack("latency", times=5),
    "Slack: envelope repeated": _slack("repeat", "socket"),
    "Slack: disconnected": _disconnect,
    "SSH cut": _cut,
    "host rebooted": _reboot,
    "host silent": _black_hole,
    "apt fails": _no_apt,
}


def chosen(number: int, seed: int) -> list[str]:
    """Names of so many faults, the same for the same seed; each kind about as often as the others."""
    chance = random.Random(seed)
    names = list(FAULTS)
    rounds = [chance.sample(names, len(names)) for _ in range(number // len(names) + 1)]
    return [name for round_ in rounds for name in round_][:number]
