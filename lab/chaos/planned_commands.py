"""Choose what simulated users type in addition to migrations. Pure: equal random numbers give equal commands."""

import random
from dataclasses import dataclass

from lab.fleet.hosts import LabHost

MAX_TRIES = 3  # of a command that the swarm may refuse for good, such as a demotion that costs quorum
SERVICE, IMAGE, REPLICAS = "web", "nginx:1.11", (0, 1, 3, 5)  # every simulated host has the image
OUTSIDERS_SERVICE, OUTSIDERS_REPLICAS = "outsider", 17  # only a user without the right to change names these
OTHER_COMMANDS = (
    "services",
    f"service {SERVICE}",
    f"create {SERVICE} {IMAGE} --replicas 2",
    *(f"scale {SERVICE}={number}" for number in REPLICAS),
    f"restart {SERVICE}",
    f"rollback {SERVICE}",
    "watch",
    "watch on",
    "watch off",
    "watch mute 2m",
    "upgrade all",
    "upgrade all --to 28.*",
)
OUTSIDERS_COMMANDS = (
    f"create {OUTSIDERS_SERVICE} {IMAGE}",
    f"scale {SERVICE}={OUTSIDERS_REPLICAS}",
    f"restart {SERVICE}",
    f"rollback {SERVICE}",
    "drain {host}",
    "activate {host}",
    "promote {host}",
    "demote {host}",
    "remove {host}",
    "upgrade {host}",
    "upgrade all",
    "watch off",
)


@dataclass(frozen=True)
class PlannedCommand:
    """A command on a node, sent again until it is done. `tries`: how often at most, 0 for no limit."""

    text: str
    host: LabHost
    tries: int = 0


def drain_and_activate(host: LabHost) -> list[PlannedCommand]:
    return [PlannedCommand(f"drain {host.name}", host), PlannedCommand(f"activate {host.name}", host)]


def choose_node_commands(host: LabHost, rng: random.Random) -> list[PlannedCommand]:
    """Return commands after which the node is as before, except that a removed one has to be migrated again."""
    name = host.name
    demote = PlannedCommand(f"demote {name}", host, MAX_TRIES if host.role == "manager" else 0)
    promote = PlannedCommand(f"promote {name}", host)
    choices = [
        drain_and_activate(host),
        [demote, promote] if host.role == "manager" else [promote, demote],
        [PlannedCommand(f"remove {name}", host, MAX_TRIES)],
        [PlannedCommand(f"upgrade {name}", host, MAX_TRIES)],
    ]
    return rng.choice(choices)


def choose_other_commands(number: int, rng: random.Random) -> list[str]:
    """Return commands on services, the watch, and the whole swarm. The first one creates the service."""
    return [OTHER_COMMANDS[2], *rng.choices(OTHER_COMMANDS, k=number - 1)] if number else []
