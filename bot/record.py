"""What the bot keeps of a run: values only. Who asked what, where to answer, and what people decided."""

from dataclasses import dataclass
from typing import Literal

from jobs.contract import Command

Verdict = Literal["accept", "reject", "remove", "continue", "cancel"]
JobState = Literal["queued", "running", "over", "lost"]  # lost: RQ knows of no orderly end, or not of the job at all


@dataclass(frozen=True)
class Decision:
    """A person's answer to what job `job` of the run asked. `by`: Slack user ID; `at`: UNIX seconds."""

    job: int
    verdict: Verdict
    by: str
    at: float


@dataclass(frozen=True)
class RunRecord:
    """One slash command that became a run. `text`: what was typed, as understood; `jobs`: how many were enqueued."""

    run: str
    command: Command
    text: str
    asker: str
    channel: str
    asked_at: float
    jobs: int = 1
    decisions: tuple[Decision, ...] = ()
