"""Show what the commands that change one node say: refusals, findings of their plans, and their questions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from bot.messages.next_command import next_step_text
from bot.messages.runs import run_message
from bot.records import RunRecord
from bot.state.run_state import fold
from imker.protocol.commands import Command
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, EventBody, JobFinished, JobStarted
from imker.protocol.next_command import NextCommand
from imker.protocol.node_commands import Activate, Demote, Drain, Promote, Remove
from imker.protocol.values import Finding, Quorum
from jobs.facts import quorum
from jobs.handlers.plan_events import build_plan_event
from jobs.plan import Refusal
from jobs.plan.node_changes import NodePlan
from jobs.plan.workload import check_drain, describe_drain
from tests.golden.text_layout import message, page, section
from tests.unit.jobs.plan.test_node_changes import HOSTS, REFUSED, node, plan_of, swarm_of
from tests.unit.jobs.plan.test_workload import CASES

THREE = swarm_of(node("connewitz", "manager", "leader"), node("tondi", "manager"), node("lausen", "manager"))
LESS = Quorum(3, 1, 2, 0)
DRAINED = swarm_of(*THREE.nodes[:2], node("lausen", availability="drain", drain_run="k3fm9x2q", drain_user="U02BOB"))


def node_plans() -> str:
    """Return each refusal and each finding of the node commands once."""
    return page(section("refusals", *_refusals()), section("findings", *dict.fromkeys(_findings())))


def _refusals() -> Iterator[str]:
    for command, host, nodes, _ in REFUSED.values():
        refusal = plan_of(command, HOSTS[host], swarm_of(*nodes))
        assert isinstance(refusal, Refusal)
        yield f"  {command} {host}: {refusal.summary}"
        yield f"         -> {next_step_text(refusal.hint, refusal.next_commands)}"


def _findings() -> Iterator[str]:
    for load, _ in CASES.values():
        yield from _finding_lines(check_drain("kaditz", replace(load, containers=None)))
    for command, host, has_shell in (("demote", "connewitz", True), ("remove", "lausen", False)):
        plan = plan_of(command, HOSTS[host], THREE, has_shell)
        assert isinstance(plan, NodePlan)
        yield from _finding_lines(plan.findings)
    for availability, run in (("drain", "k3fm9x2q"), ("drain", ""), ("pause", "")):
        lausen = replace(DRAINED.nodes[2], availability=availability, drain_run=run, drain_user="U02BOB" if run else "")
        plan = plan_of("activate", HOSTS["lausen"], swarm_of(*DRAINED.nodes[:2], lausen))
        assert isinstance(plan, NodePlan)
        yield from _finding_lines(plan.findings)


def _finding_lines(findings: tuple[Finding, ...]) -> Iterator[str]:
    for finding in findings:
        hint = next_step_text(finding.hint, finding.next_commands)
        yield f"  {finding.level:5}  {finding.check}: {finding.text}" + (f"\n         -> {hint}" if hint else "")


def node_messages() -> str:
    """Return the run's message of each command: its question, and its outcome."""
    drained = "lausen is drained. No service task runs on it."
    worker = f"lausen is a worker now. {quorum.describe_tolerance(2)}."
    next_commands = (NextCommand(Activate("lausen"), "let it run tasks again"),)
    moves = describe_drain("lausen", CASES["all replicas are here"][0])
    return page(
        _message("drain: question", Drain("lausen"), _ask("start", f"Drain lausen? {moves}")),
        _message("drain: done", Drain("lausen"), JobFinished("done", drained, next_commands=next_commands)),
        _message("activate: question", Activate("lausen"), _ask("continue", "Activate lausen?")),
        _message(
            "promote: nothing to do", Promote("lausen"), JobFinished("unchanged", "nothing to do: it is a manager")
        ),
        _message("demote: question", Demote("lausen"), _ask("start", "Make lausen a worker?", LESS)),
        _message("demote: done", Demote("lausen"), JobFinished("done", worker)),
        _message("remove: question", Remove("lausen"), _ask("start", f"Remove lausen from the swarm? {moves}", LESS)),
    )


def _ask(question: Literal["start", "continue"], summary: str, change: Quorum | None = None) -> DecisionRequested:
    return DecisionRequested(question, "f", quorum=change, host="lausen", summary=summary)


def _message(title: str, command: Command, *bodies: EventBody) -> str:
    record = RunRecord("k3fm9x2q", command, command.text, "U01ALICE", "C01OPS", 1_795_440_000.0)
    verb = command.type
    plan = plan_of(verb, HOSTS["lausen"], DRAINED if verb == "activate" else THREE)
    assert isinstance(plan, NodePlan)
    events = [JobStarted("lausen"), *([build_plan_event(plan)] if plan.steps else []), *bodies]
    log = EventLog(tuple(Event("k3fm9x2q", 1, number, float(number), body) for number, body in enumerate(events, 1)))
    rendered = run_message.render(fold(record, log, "finished", 1_795_440_060.0))
    return section(title, message(rendered.text, rendered.blocks))
