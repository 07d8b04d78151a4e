"""Hold what a handler needs: the request, settings, inventory, event writer, and connections to hosts."""

import difflib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase

import redis

from imker import clock
from imker.clock import Timestamp
from imker.protocol.commands import ListHosts, Request
from imker.protocol.events import JobFinished, Planned
from imker.protocol.next_command import BotCommand, NextCommand
from jobs.connectors.engine import EngineFactory
from jobs.connectors.shell import Shell
from jobs.errors import JobError
from jobs.events.writer import EventWriter
from jobs.inventory.model import Host, Inventory
from jobs.plan import Refusal
from jobs.settings import Settings


@dataclass(frozen=True)
class JobContext:
    """The environment of one job. `now`: a timestamp that survives clock changes."""

    request: Request
    settings: Settings
    inventory: Inventory
    events: EventWriter
    redis: "redis.Redis"
    open_shell: Callable[[Host], AbstractContextManager[Shell]]
    engine_factory: EngineFactory
    now: Callable[[], Timestamp] = clock.take_timestamp

    def find_host(self, name: str) -> Host:
        """Return the host of that name.

        Raises JobError if it is not in the inventory, or if the requester has no permission for it. All access to
        hosts goes through this check.
        """
        if name in self.inventory:
            return self.require_allowed(self.inventory[name])
        suggestions = difflib.get_close_matches(name, self.inventory, 1)
        hint = f"Did you mean {suggestions[0]}?" if suggestions else ""
        raise JobError(f"no host {name} in the inventory", hint=hint, next_commands=(NextCommand(ListHosts()),))

    def require_allowed(self, host: Host) -> Host:
        """Return the host. Raises JobError if the bot did not authorize the request for it."""
        if any(fnmatchcase(host.name, pattern) for pattern in self.request.allowed_hosts):
            return host
        allowed = ", ".join(self.request.allowed_hosts) or "none"
        summary = f"permission was granted for {allowed}, not for {host.name}"
        show_help = NextCommand(BotCommand("help"), "see your commands and hosts")
        raise JobError(summary, host=host.name, next_commands=(show_help,))

    def report_refusal(self, refusal: Refusal) -> None:
        """End the job with a refusal, as a finding too if it answers a check."""
        if refusal.check:
            self.events.emit(Planned((), (refusal.finding,)))
        state, next_commands = "Nothing was changed.", refusal.next_commands
        self.events.emit(JobFinished("refused", refusal.summary, state, refusal.hint, next_commands=next_commands))
