"""Map commands and decisions to the permission they require. Pure."""

from dataclasses import dataclass

from bot.commands.model import ParsedCommand
from bot.commands.table import spec_of
from bot.records import ALL_HOSTS, NO_HOST, Choice, RunRecord, command_services, target_host, target_services
from imker.protocol.events import DecisionRequested

QUESTIONS: dict[str, tuple[str, tuple[Choice, ...]]] = {
    # question -> command that an approval counts as, "" for the run's own; and choices
    "accept": ("accept", ("accept", "reject", "remove", "again")),
    "continue": ("continue", ("continue",)),
    "start": ("", ("continue",)),
    "start_fleet": ("", ("start",)),
    "resume": ("resume", ("continue",)),
    "start_containers": ("start", ("continue",)),
    "stop_store": ("retire", ("continue",)),
    "remove_store": ("retire", ("continue",)),
}


@dataclass(frozen=True)
class Permission:
    """The right to use a command on a host or on services.

    `host`: a name, ALL_HOSTS, or NO_HOST for a right on any host. `services`: names that all must be covered, () for a
    right on any service, None for a command on hosts.
    """

    command: str
    host: str = NO_HOST
    services: tuple[str, ...] | None = None


def permission_for(command: ParsedCommand) -> Permission:
    """Return what the command requires before the run or node that it names is looked up."""
    spec = spec_of(command)
    if spec.scope == "any host":
        return Permission(spec.name)
    if spec.scope == "services":
        return Permission(spec.name, services=command_services(command) or ())
    return Permission(spec.name, ALL_HOSTS if spec.scope == "every host" else getattr(command, "host", ALL_HOSTS))


def permission_to_decide(record: RunRecord, question: DecisionRequested, choice: Choice) -> Permission:
    """Return what this answer to the run's question requires."""
    commands = {"reject": "reject", "remove": "reject", "cancel": "cancel"}
    approved_command = QUESTIONS[question.question][0] or spec_of(record.command).name
    return permission_on_run(commands.get(choice, approved_command), record, question)


def permission_on_run(command: str, record: RunRecord, question: DecisionRequested | None = None) -> Permission:
    """Return what using the command on the run requires: the right on its host, or on its services."""
    services = target_services(record, question)
    return Permission(command, NO_HOST if services else target_host(record, question), services)


def is_valid_choice(question: DecisionRequested, choice: Choice) -> bool:
    """Return whether the choice answers this question. Every waiting run can be cancelled."""
    return choice == "cancel" or choice in QUESTIONS[question.question][1]
