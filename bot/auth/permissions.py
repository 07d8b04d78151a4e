"""What a command, or an answer to a question, is a use of: a verb, and the host it is about. Pure."""

from dataclasses import dataclass

from bot.commands.model import ControlRun, DecideRun, ParsedCommand, ShowAudit, ShowHelp, ShowStatus
from bot.records import ALL_HOSTS, NO_HOST, Choice, RunRecord, target_host
from imker.protocol.commands import Accept, Reject
from imker.protocol.events import DecisionRequested

QUESTIONS: dict[str, tuple[str, tuple[Choice, ...]]] = {  # a question: what a yes is a use of, and its other answers
    "accept": ("accept", ("accept", "reject", "remove", "again")),
    "continue": ("continue", ("continue",)),
    "start_fleet": ("migrate all", ("start",)),
    "resume": ("resume", ("continue",)),
    "start_containers": ("start", ("continue",)),
    "stop_store": ("retire", ("continue",)),
    "remove_store": ("retire", ("continue",)),
}


@dataclass(frozen=True)
class Permission:
    verb: str
    host: str = NO_HOST


def permission_for(command: ParsedCommand) -> Permission:
    """Of what names a run or a node, the host is looked at once it is known."""
    match command:
        case ShowHelp():
            return Permission("help")
        case ShowStatus():
            return Permission("status")
        case ShowAudit():
            return Permission("audit")
        case ControlRun(_, action):
            return Permission(action)
        case DecideRun(_, verdict):
            return Permission("reject" if verdict == "remove" else verdict)
        case Accept() | Reject():
            return Permission(command.type)
        case _:
            return Permission(command.type.replace("_", " "), getattr(command, "host", ALL_HOSTS))


def permission_to_decide(record: RunRecord, waiting: DecisionRequested, choice: Choice) -> Permission:
    verbs = {"reject": "reject", "remove": "reject", "cancel": "cancel"}
    return Permission(verbs.get(choice, QUESTIONS[waiting.question][0]), target_host(record, waiting))


def is_valid_choice(waiting: DecisionRequested, choice: Choice) -> bool:
    """Whether this is an answer to that question at all. Any run that waits can be called off."""
    return choice == "cancel" or choice in QUESTIONS[waiting.question][1]
