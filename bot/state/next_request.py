"""Derive the next job request from a run's record and its decisions. Pure."""

from dataclasses import replace

from bot.records import Choice, RunRecord, target_host, target_services
from imker.protocol import commands
from imker.protocol.commands import Approval, Request
from imker.protocol.events import DecisionRequested


def next_request(record: RunRecord, question: DecisionRequested | None) -> Request:
    """Return the request for the run's last job.

    The first job runs the command itself. Each later job follows from the decision on `question`.
    """
    first = Request(
        record.run, 1, record.command, record.requester, record.approvals, record.parent_run, record.allowed_hosts,
        channel=record.channel, allowed_services=record.allowed_services,
    )  # fmt: skip
    if record.job_count == 1:
        return first
    assert question is not None, "a decision answers a question"
    last = record.decisions[-1]
    approvals = tuple(
        Approval(decision.user, question.fingerprint, decision.decided_at)
        for decision in record.decisions
        if decision.job == last.job and decision.choice == last.choice != "again"
    )
    command = _follow_up_command(record.command, question, last.choice)
    services = target_services(record, question)
    hosts = () if services else (target_host(record, question),)
    return replace(
        first, job=record.job_count, command=command, approvals=approvals, allowed_hosts=hosts,
        allowed_services=services or (),
    )  # fmt: skip


def _follow_up_command(command: commands.Command, question: DecisionRequested, choice: Choice) -> commands.Command:
    """Return the command that the decision leads to. "Continue" repeats the run's own command."""
    node = question.candidate.node if question.candidate else ""
    if choice in ("accept", "again"):
        return commands.Accept(node)
    if choice in ("reject", "remove"):
        return commands.Reject(node, remove=choice == "remove")
    if question.question == "start_containers":
        return commands.StartContainers(question.host, question.names)
    return commands.RetireStore(question.host) if question.question in ("stop_store", "remove_store") else command
