"""What a job works with: its request, the inventory, the journal it writes to, and how hosts are reached."""

import difflib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase

import redis

from imker import moment
from imker.moment import Moment
from jobs.contract import Ended, Planned, Request
from jobs.errors import JobError
from jobs.gather import Connect
from jobs.inventory import Host, Inventory
from jobs.journal import Journal
from jobs.plan import Refusal
from jobs.settings import Settings
from jobs.shell import Shell


@dataclass(frozen=True)
class Office:
    request: Request
    settings: Settings
    inventory: Inventory
    journal: Journal
    redis: "redis.Redis"
    shell: Callable[[Host], AbstractContextManager[Shell]]
    connect: Connect
    now: Callable[[], Moment] = moment.now

    def host(self, name: str) -> Host:
        """Raises JobError for a name that is not in the inventory, or in the asker's right: no other reaches a host."""
        if name in self.inventory:
            return self.allowed(self.inventory[name])
        near = difflib.get_close_matches(name, self.inventory, 1)
        hint = f"{f'Did you mean {near[0]}? ' if near else ''}/swarm hosts lists them."
        raise JobError(f"no host {name} in the inventory", hint=hint)

    def allowed(self, host: Host) -> Host:
        """Raises JobError for a host that the bot did not check the right for."""
        if any(fnmatchcase(host.name, pattern) for pattern in self.request.within):
            return host
        allowed = ", ".join(self.request.within) or "none"
        summary = f"the right that was checked is for {allowed}, not for {host.name}"
        raise JobError(summary, host=host.name, hint="/swarm help shows what you may do, and where.")

    def refuse(self, refusal: Refusal) -> None:
        if refusal.check:
            self.journal.tell(Planned((), (refusal.finding,)))
        self.journal.tell(Ended("refused", refusal.summary, "Nothing was changed.", refusal.hint))
