"""Hold what a handler needs: the request, settings, inventory, event writer, and connections to hosts."""

import difflib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import redis

from imker import clock
from imker.clock import Timestamp
from imker.protocol.commands import ListHosts, Request
from imker.protocol.events import JobFinished, Planned
from imker.protocol.next_command import BotCommand, NextCommand
from jobs.connectors.engine import Engine, EngineFactory
from jobs.connectors.engine_opener import EngineOpener
from jobs.connectors.shared_shells import share_shells
from jobs.connectors.shell import Shell
from jobs.connectors.timeouts import SILENT_TIMEOUT
from jobs.errors import JobError, NoAnswer
from jobs.events.writer import EventWriter
from jobs.inventory.model import Host, Inventory
from jobs.plan import Refusal
from jobs.settings import Settings


@dataclass(frozen=True)
class JobContext:
    """The environment of one job.

    `now`: a timestamp that survives clock changes. `silent_hosts`: names of the hosts whose Engine did not answer in
    time in this job, with the error.
    """

    request: Request
    settings: Settings
    inventory: Inventory
    events: EventWriter
    redis: "redis.Redis"
    open_shell: Callable[[Host], AbstractContextManager[Shell]]
    engine_factory: EngineFactory
    now: Callable[[], Timestamp] = clock.take_timestamp
    silent_hosts: dict[str, NoAnswer] = field(default_factory=dict)

    def connect_unless_silent(self, host: Host, timeout: float = 10) -> Engine:
        """Connect to an Engine, without waiting again for a host that was silent in this job.

        Only for what decides nothing: a decision asks all hosts again.
        """
        if host.name in self.silent_hosts:
            raise self.silent_hosts[host.name]
        return self.engine_factory(host, timeout=timeout)

    def connect_briefly_if_silent(self, host: Host, timeout: float = 10) -> Engine:
        """Connect to an Engine, and wait only SILENT_TIMEOUT for a host that was silent in this job."""
        return self.engine_factory(host, timeout=SILENT_TIMEOUT if host.name in self.silent_hosts else timeout)

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

    def require_service(self, name: str) -> str:
        """Return the service's full name. Raises JobError if the bot did not authorize the request for it."""
        if self.covers_service(name):
            return name
        allowed = ", ".join(self.request.allowed_services) or "no service"
        show_help = NextCommand(BotCommand("help"), "see your commands")
        raise JobError(f"permission was granted for {allowed}, not for service {name}", next_commands=(show_help,))

    def covers_service(self, name: str) -> bool:
        """Return whether the bot authorized the request for the service."""
        return any(fnmatchcase(name, pattern) for pattern in self.request.allowed_services)

    def report_refusal(self, refusal: Refusal) -> None:
        """End the job with a refusal, as a finding too if it answers a check."""
        if refusal.check:
            self.events.emit(Planned((), (refusal.finding,)))
        state, next_commands = "Nothing was changed.", refusal.next_commands
        self.events.emit(JobFinished("refused", refusal.summary, state, refusal.hint, next_commands=next_commands))


@contextmanager
def share_connections(context: JobContext) -> Iterator[JobContext]:
    """Return the context with one SSH connection for each host, all of which are closed at the end."""
    with share_shells(context.open_shell) as shells:
        engine_factory = EngineOpener(context.engine_factory, shells)
        yield replace(context, open_shell=shells.open, engine_factory=engine_factory)
