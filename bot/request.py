"""The job that a run's record asks for: what was typed, or what follows from a decision. Pure."""

from dataclasses import replace

from bot.need import host_of
from bot.record import RunRecord, Verdict
from jobs import contract
from jobs.contract import Approval, Request, Waiting


def request_of(record: RunRecord, answered: Waiting | None) -> Request:
    """A run's first job is what was asked; each further one follows from the decision on the question `answered`."""
    first = Request(
        record.run, 1, record.command, record.asker, record.approvals, record.part_of, record.within,
        channel=record.channel,
    )  # fmt: skip
    if record.jobs == 1:
        return first
    assert answered is not None, "a decision answers a question"
    last = record.decisions[-1]
    approvals = tuple(
        Approval(decision.by, answered.fingerprint, decision.at)
        for decision in record.decisions
        if decision.job == last.job and decision.verdict == last.verdict != "again"
    )
    command = _following(record.command, answered, last.verdict)
    return replace(
        first, job=record.jobs, command=command, approvals=approvals, within=(host_of(record, answered),)
    )  # fmt: skip


def _following(command: contract.Command, waiting: Waiting, verdict: Verdict) -> contract.Command:
    """What a decision leads to: what was asked about, or the same command again."""
    node = waiting.candidate.node if waiting.candidate else ""
    if verdict in ("accept", "again"):
        return contract.Accept(node)
    if verdict in ("reject", "remove"):
        return contract.Reject(node, remove=verdict == "remove")
    if waiting.question == "containers":
        return contract.StartContainers(waiting.host, waiting.names)
    return contract.RetireStore(waiting.host) if waiting.question in ("stop", "store") else command
