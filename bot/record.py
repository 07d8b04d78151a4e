"""What the bot keeps of a run: values only. Who asked what, where to answer, and what people decided."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Literal

from jobs.contract import Approval, Command

DAY = 24 * 3600
KEPT = 30 * DAY  # seconds a run is kept
VALID = DAY  # seconds from what somebody said until nothing is begun for it any more

Verdict = Literal["accept", "reject", "remove", "continue", "cancel", "start", "again"]  # again: ask once more
LAST: tuple[Verdict, ...] = ("cancel", "start")  # no job of the same run follows from these
JobState = Literal["queued", "running", "over", "lost"]  # lost: RQ knows of no orderly end, or not of the job at all


@dataclass(frozen=True)
class Decision:
    """A person's answer to what job `job` of the run asked. `by`: Slack user ID, "" for Imker itself, which says `why`;

    `at`: UNIX seconds; `shown`: the fingerprint of the question that was answered.
    """

    job: int
    verdict: Verdict
    by: str
    at: float
    shown: str = ""
    why: str = ""


@dataclass(frozen=True)
class RunRecord:
    """One slash command that became a run. `text`: what was typed, as understood; `jobs`: how many were enqueued;

    `part_of`: the fleet's run that it belongs to; `approvals`: what was said yes to before it began, there;
    `within`: patterns of the hosts that the asker's right is for; `votes`: the first of several yeses.
    """

    run: str
    command: Command
    text: str
    asker: str
    channel: str
    asked_at: float
    jobs: int = 1
    decisions: tuple[Decision, ...] = ()
    part_of: str = ""
    approvals: tuple[Approval, ...] = ()
    within: tuple[str, ...] = ()
    votes: tuple[Decision, ...] = ()

    @property
    def expires(self) -> float:
        """UNIX seconds after which no RQ worker takes up the run's last job: counted from the word it follows."""
        return max((self.asked_at, *(decision.at for decision in self.decisions))) + VALID


def run_id(trigger: str) -> str:
    """The same for a command that Slack delivers twice; eight characters that can be told apart and typed."""
    return base64.b32encode(hashlib.sha256(trigger.encode()).digest()).decode().lower()[:8]
