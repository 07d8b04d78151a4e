"""All that there is to type, as one table: help, usage and rights come from it. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

Right = Literal["read", "change", "accept", ""]


@dataclass(frozen=True)
class CommandSpec:
    """A row of the table. `example`: with {host} for a host of the fleet; `right`: what it takes, "" for none."""

    name: str
    arguments: str
    summary: str
    example: str
    right: Right

    @property
    def usage(self) -> str:
        return f"/swarm {self.name} {self.arguments}".rstrip()

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(re.findall("--[a-z-]+", self.arguments))


COMMANDS = (
    CommandSpec("hosts", "", "every host, with its Engine and its place", "hosts", "read"),
    CommandSpec("nodes", "", "the swarm's nodes; managers that wait are Pending", "nodes", "read"),
    CommandSpec(
        "plan",
        "HOST [--manager or --worker] [--docker-group]",
        "what a migration would do; changes nothing",
        "plan {host}",
        "read",
    ),
    CommandSpec(
        "migrate",
        "HOST [--manager or --worker] [--docker-group]",
        "move a host into swarm mode",
        "migrate {host}",
        "change",
    ),
    CommandSpec(
        "migrate all",
        "[--without HOST,...]",
        "move the whole fleet, in order",
        "migrate all --without {host}",
        "change",
    ),
    CommandSpec(
        "accept", "ID", "make a waiting host a manager; ID is a run's or a node's", "accept k3fm9x2q", "accept"
    ),
    CommandSpec("reject", "ID [--remove]", "leave it a worker, or take it out", "reject k3fm9x2q --remove", "accept"),
    CommandSpec("continue", "RUN", "go on despite the warnings shown", "continue k3fm9x2q", "change"),
    CommandSpec("pause", "[RUN]", "stop after the step it is in", "pause k3fm9x2q", "change"),
    CommandSpec("resume", "[RUN]", "go on with what was paused", "resume k3fm9x2q", "change"),
    CommandSpec("cancel", "RUN", "do not begin, or stop after the step it is in", "cancel k3fm9x2q", "change"),
    CommandSpec("retry", "RUN", "the same again, planned from what is true now", "retry k3fm9x2q", "change"),
    CommandSpec("start", "HOST CONTAINER...", "start containers that did not come back", "start {host} web", "change"),
    CommandSpec("retire", "HOST", "stop the key-value store; then, asked again, remove it", "retire {host}", "change"),
    CommandSpec("status", "[RUN]", "what is going on, what waits, what was last", "status k3fm9x2q", "read"),
    CommandSpec("audit", "[HOST, USER or RUN]", "who did what, newest first", "audit {host}", "read"),
    CommandSpec("doctor", "", "check tokens, Redis, keys and hosts, and say what to do", "doctor", "change"),
    CommandSpec("help", "", "this", "help", ""),
)
BY_NAME = {verb.name: verb for verb in COMMANDS}
