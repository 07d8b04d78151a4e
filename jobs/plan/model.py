"""What planning gives: a plan, or why there is none. Values only."""

import hashlib
from dataclasses import dataclass

from jobs.contract import Finding
from jobs.daemon_options import FileEdit
from jobs.steps import Step


@dataclass(frozen=True)
class Plan:
    """`waits`: whether its end is a question, to accept the host as a manager. No steps: nothing to do.

    `target`: the Engine's version after, as its package has it.
    """

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    edits: tuple[FileEdit, ...] = ()
    waits: bool = False
    target: str = ""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.steps, self.warned)

    @property
    def warned(self) -> str:
        """The same for the same warnings, whatever is left to do: what a yes to a whole fleet's plan is bound to."""
        return fingerprint(self.level("warn"))

    def level(self, level: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == level)


@dataclass(frozen=True)
class Refusal:
    """Why nothing is done, and what to type instead. `check`: the check that says so, if one does."""

    summary: str
    hint: str = ""
    check: str = ""

    @property
    def finding(self) -> Finding:
        return Finding(self.check or "plan", "block", self.summary, self.hint)


def fingerprint(*shown: object) -> str:
    """The same for the same values: what a person's yes is bound to."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
