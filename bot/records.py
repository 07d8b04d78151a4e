"""What the bot keeps of a run: values only. Who asked what, where to answer, and what people decided."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Literal

from imker.protocol.commands import Approval, Command
from imker.protocol.events import DecisionRequested

DAY = 24 * 3600
RETENTION = 30 * DAY  # seconds a run is kept
REQUEST_TTL = DAY  # seconds from what somebody said until nothing is begun for it any more

Choice = Literal["accept", "reject", "remove", "continue", "cancel", "start", "again"]  # again: ask once more
FINAL_CHOICES: tuple[Choice, ...] = ("cancel", "start")  # no job of the same run follows from these
QueueStatus = Literal["queued", "running", "finished", "lost"]  # lost: RQ has no such job, or the job ended badly


@dataclass(frozen=True)
class Decision:
    """A person's answer to what job `job` of the run asked. `by`: Slack user ID, "" for Imker itself, which says `why`;

    `at`: UNIX seconds; `shown`: the fingerprint of the question that was answered.
    """

    job: int
    choice: Choice
    user: str
    decided_at: float
    fingerprint: str = ""
    why: str = ""


@dataclass(frozen=True)
class RunRecord:
    """One slash command that became a run. `text`: what was typed, as understood; `jobs`: how many were enqueued;

    `part_of`: the fleet's run that it belongs to; `approvals`: what was said yes to before it began, there;
    `within`: patterns of the hosts that the asker's right is for; `votes`: the first of several yeses.
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

    @property
    def expires(self) -> float:
        """UNIX seconds after which no RQ worker takes up the run's last job: counted from the word it follows."""
        return max((self.requested_at, *(decision.decided_at for decision in self.decisions))) + REQUEST_TTL


def run_id(trigger: str) -> str:
    """The same for a command that Slack delivers twice; eight characters that can be told apart and typed."""
    return base64.b32encode(hashlib.sha256(trigger.encode()).digest()).decode().lower()[:8]


ALL_HOSTS, NO_HOST = "*", ""  # as a host: every host there is; any host at all


def target_host(record: RunRecord, waiting: DecisionRequested | None = None) -> str:
    """The host that a run is about; every host, if it is about no one host."""
    if waiting and (waiting.candidate or waiting.host):
        return waiting.candidate.host if waiting.candidate else waiting.host
    return getattr(record.command, "host", ALL_HOSTS)
