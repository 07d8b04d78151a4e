"""What a job works with: its request, the inventory, the journal it writes to, and how hosts are reached."""

import difflib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase

import redis

from imker import clock
from imker.clock import Timestamp
from imker.protocol.commands import Request
from imker.protocol.events import JobFinished, Planned
from jobs.connectors.engine import EngineFactory
from jobs.connectors.shell import Shell
from jobs.errors import JobError
from jobs.events.writer import EventWriter
from jobs.inventory.model import Host, Inventory
from jobs.plan import Refusal
from jobs.settings import Settings


@dataclass(frozen=True)
class JobContext:
    request: Request
    settings: Settings
    inventory: Inventory
    events: EventWriter
    redis: "redis.Redis"
    open_shell: Callable[[Host], AbstractContextManager[Shell]]
    engine_factory: EngineFactory
    now: Callable[[], Timestamp] = clock.take_timestamp

    def find_host(self, name: str) -> Host:
        """Raises JobError for a name that is not in the inventory, or in the asker's right: no other reaches a host."""
        if name in self.inventory:
            return self.require_allowed(self.inventory[name])
        suggestions = difflib.get_close_matches(name, self.inventory, 1)
        hint = f"{f'Did you mean {suggestions[0]}? ' if suggestions else ''}/swarm hosts lists them."
        raise JobError(f"no host {name} in the inventory", hint=hint)

    def require_allowed(self, host: Host) -> Host:
        """Raises JobError for a host that the bot did not check the right for."""
        if any(fnmatchcase(host.name, pattern) for pattern in self.request.allowed_hosts):
            return host
        allowed = ", ".join(self.request.allowed_hosts) or "none"
        summary = f"the right that was checked is for {allowed}, not for {host.name}"
        raise JobError(summary, host=host.name, hint="/swarm help shows what you may do, and where.")

    def report_refusal(self, refusal: Refusal) -> None:
        if refusal.check:
            self.events.emit(Planned((), (refusal.finding,)))
        self.events.emit(JobFinished("refused", refusal.summary, "Nothing was changed.", refusal.hint))
