"""Map commands and decisions to the permission they require. Pure."""

from dataclasses import dataclass

from bot.commands.model import ParsedCommand
from bot.commands.table import spec_of
from bot.records import ALL_HOSTS, NO_HOST, Choice, RunRecord, target_host
from imker.protocol.events import DecisionRequested

QUESTIONS: dict[str, tuple[str, tuple[Choice, ...]]] = {
    # question -> command that an approval counts as, "" for the run's own; and choices
    "accept": ("accept", ("accept", "reject", "remove", "again")),
    "continue": ("continue", ("continue",)),
    "start": ("", ("continue",)),
    "start_fleet": ("migrate all", ("start",)),
    "resume": ("resume", ("continue",)),
    "start_containers": ("start", ("continue",)),
    "stop_store": ("retire", ("continue",)),
    "remove_store": ("retire", ("continue",)),
}


@dataclass(frozen=True)
class Permission:
    """The right to use a command on a host. `host`: a name, ALL_HOSTS, or NO_HOST for a right on any host."""

    command: str
    host: str = NO_HOST


def permission_for(command: ParsedCommand) -> Permission:
    """Return what the command requires before the run or node that it names is looked up."""
    spec = spec_of(command)
    if spec.scope == "any host":
        return Permission(spec.name)
    return Permission(spec.name, ALL_HOSTS if spec.scope == "every host" else getattr(command, "host", ALL_HOSTS))


def permission_to_decide(record: RunRecord, question: DecisionRequested, choice: Choice) -> Permission:
    """Return what this answer to the run's question requires."""
    commands = {"reject": "reject", "remove": "reject", "cancel": "cancel"}
    approved_command = QUESTIONS[question.question][0] or spec_of(record.command).name
    return Permission(commands.get(choice, approved_command), target_host(record, question))


def is_valid_choice(question: DecisionRequested, choice: Choice) -> bool:
    """Return whether the choice answers this question. Every waiting run can be cancelled."""
    return choice == "cancel" or choice in QUESTIONS[question.question][1]
