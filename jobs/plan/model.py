"""Define the results of planning: a Plan or a Refusal. Pure."""

import hashlib
from dataclasses import dataclass

from imker.protocol.next_command import NextCommand
from imker.protocol.values import Finding
from jobs.daemon_options import FileEdit
from jobs.steps import Step


@dataclass(frozen=True)
class Plan:
    """The remaining steps for a host. Without steps there is nothing to do.

    `needs_acceptance`: the plan ends with the question to accept the host as a manager; `target_version`: the package
    version of the Engine after the steps; `is_repair`: it restarts the Engine of a manager without which the swarm
    cannot be seen, and ends there.
    """

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    edits: tuple[FileEdit, ...] = ()
    needs_acceptance: bool = False
    target_version: str = ""
    is_repair: bool = False

    @property
    def fingerprint(self) -> str:
        return compute_fingerprint(self.steps, self.warnings_fingerprint)

    @property
    def warnings_fingerprint(self) -> str:
        """Return a digest of the warnings alone, to which the approval of a fleet plan is bound."""
        return compute_fingerprint(self.findings_of_level("warn"))

    def findings_of_level(self, level: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == level)


@dataclass(frozen=True)
class Refusal:
    """Why nothing is done, and what to do instead. `check`: the name of the failed check, "" for none."""

    summary: str
    hint: str = ""
    check: str = ""
    next_commands: tuple[NextCommand, ...] = ()

    @property
    def finding(self) -> Finding:
        return Finding(self.check or "plan", "block", self.summary, self.hint, self.next_commands)


def compute_fingerprint(*values: object) -> str:
    """Return a digest of the values, 16 hex characters, to which an approval is bound."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]
