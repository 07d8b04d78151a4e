"""What the bot saves about a run: the request, and the decisions of users. Values only."""

from dataclasses import dataclass
from typing import Literal

from imker.protocol.commands import Approval, Command
from imker.protocol.events import DecisionRequested

DAY = 24 * 3600
RETENTION = 30 * DAY  # seconds that a run is saved
REQUEST_TTL = DAY  # seconds after a command or decision in which its job may start

Choice = Literal["accept", "reject", "remove", "continue", "cancel", "start", "again"]  # again: renew the question
PAST_TENSE: dict[Choice, str] = {
    "accept": "accepted", "reject": "rejected", "remove": "rejected", "continue": "continued",
    "cancel": "cancelled", "start": "started", "again": "renewed",
}  # fmt: skip
FINAL_CHOICES: tuple[Choice, ...] = ("cancel", "start")  # these start no further job of the run
QueueStatus = Literal["queued", "running", "finished", "lost"]  # lost: RQ has no such job, or the job ended badly


@dataclass(frozen=True)
class Decision:
    """A user's answer to the question of job `job`.

    `user`: Slack user ID, "" for Imker itself, which gives the reason in `why`. `decided_at`: UNIX seconds.
    `fingerprint`: of the question that was answered.
    """

    job: int
    choice: Choice
    user: str
    decided_at: float
    fingerprint: str = ""
    why: str = ""


@dataclass(frozen=True)
class RunRecord:
    """A command that became a run, and the decisions on it.

    `command_text`: the normalized command. `requested_at`: UNIX seconds. `job_count`: jobs enqueued so far.
    `parent_run`: the fleet's run that this run belongs to, "" for none. `approvals`: given there before this run began.
    `allowed_hosts`, `allowed_services`: patterns of what the requester's right covers. `partial_approvals`: those of a
    question that needs more of them. `is_private`: the answer goes to the requester only.
    """

    run: str
    command: Command
    command_text: str
    requester: str
    channel: str
    requested_at: float
    job_count: int = 1
    decisions: tuple[Decision, ...] = ()
    parent_run: str = ""
    approvals: tuple[Approval, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    partial_approvals: tuple[Decision, ...] = ()
    is_private: bool = False
    allowed_services: tuple[str, ...] = ()

    @property
    def expires(self) -> float:
        """Return when the run's last job expires, in UNIX seconds: a day after the command or decision it follows."""
        return max((self.requested_at, *(decision.decided_at for decision in self.decisions))) + REQUEST_TTL


ALL_HOSTS, NO_HOST = "*", ""  # in place of a host: every host; any host
ALL_SERVICES = "*"  # in place of a service: every service


def target_host(record: RunRecord, question: DecisionRequested | None = None) -> str:
    """Return the host that the run or its question is about, ALL_HOSTS if it is not about a single host."""
    if question and (question.candidate or question.host):
        return question.candidate.host if question.candidate else question.host
    return getattr(record.command, "host", ALL_HOSTS)


def target_services(record: RunRecord, question: DecisionRequested | None = None) -> tuple[str, ...] | None:
    """Return the services that the run or its question is about, None if it is about hosts."""
    if question and question.services:
        return question.services
    named = command_services(record.command)
    return named if named is None else named or (ALL_SERVICES,)


def command_services(command: object) -> tuple[str, ...] | None:
    """Return the services that a command names, () if it shows all that its user may see, None if it is about hosts."""
    services: tuple[str, ...] | None = getattr(command, "services", None)
    return services
