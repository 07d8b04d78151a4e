"""What a command, or an answer to a question, is a use of: a verb, and the host it is about. Pure."""

from dataclasses import dataclass

from bot.grammar import Decide, ShowAudit, ShowHelp, ShowStatus, Steer, Wanted
from bot.record import RunRecord, Verdict
from jobs.contract import Accept, Reject, Waiting

EVERY, ANY = "*", ""  # as a host: every host there is; any host at all
ANSWERS: dict[str, tuple[str, tuple[Verdict, ...]]] = {  # a question: what a yes is a use of, and its other answers
    "accept": ("accept", ("accept", "reject", "remove", "again")),
    "continue": ("continue", ("continue",)),
    "start": ("migrate all", ("start",)),
    "resume": ("resume", ("continue",)),
    "containers": ("start", ("continue",)),
    "stop": ("retire", ("continue",)),
    "store": ("retire", ("continue",)),
}


@dataclass(frozen=True)
class Need:
    verb: str
    host: str = ANY


def of_command(wanted: Wanted) -> Need:
    """Of what names a run or a node, the host is looked at once it is known."""
    match wanted:
        case ShowHelp():
            return Need("help")
        case ShowStatus():
            return Need("status")
        case ShowAudit():
            return Need("audit")
        case Steer(_, what):
            return Need(what)
        case Decide(_, verdict):
            return Need("reject" if verdict == "remove" else verdict)
        case Accept() | Reject():
            return Need(wanted.type)
        case _:
            return Need(wanted.type.replace("_", " "), getattr(wanted, "host", EVERY))


def of_answer(record: RunRecord, waiting: Waiting, verdict: Verdict) -> Need:
    verbs = {"reject": "reject", "remove": "reject", "cancel": "cancel"}
    return Need(verbs.get(verdict, ANSWERS[waiting.question][0]), host_of(record, waiting))


def fits(waiting: Waiting, verdict: Verdict) -> bool:
    """Whether this is an answer to that question at all. Any run that waits can be called off."""
    return verdict == "cancel" or verdict in ANSWERS[waiting.question][1]


def host_of(record: RunRecord, waiting: Waiting | None = None) -> str:
    """The host that a run is about; every host, if it is about no one host."""
    if waiting and (waiting.candidate or waiting.host):
        return waiting.candidate.host if waiting.candidate else waiting.host
    return getattr(record.command, "host", EVERY)
