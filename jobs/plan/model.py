"""What planning gives: a plan, or why there is none. Values only."""

import hashlib
from dataclasses import dataclass

from imker.protocol.values import Finding
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
    needs_acceptance: bool = False
    target_version: str = ""

    @property
    def fingerprint(self) -> str:
        return compute_fingerprint(self.steps, self.warnings_fingerprint)

    @property
    def warnings_fingerprint(self) -> str:
        """The same for the same warnings, whatever is left to do: what a yes to a whole fleet's plan is bound to."""
        return compute_fingerprint(self.findings_of_level("warn"))

    def findings_of_level(self, level: str) -> tuple[Finding, ...]:
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


def compute_fingerprint(*values: object) -> str:
    """The same for the same values: what a person's yes is bound to."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]
