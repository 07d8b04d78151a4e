"""Make the runs of a fleet's hosts, and the decisions on them that follow from a hold of the fleet. Pure."""

from typing import Literal

from bot.records import Decision, RunRecord
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState
from imker.protocol.commands import Approval, Command, Migrate
from imker.protocol.node_commands import Upgrade, UpgradeAll
from imker.protocol.run_id import host_run_id
from imker.protocol.values import HostPlan


def host_run_record(fleet: FleetState, host: HostPlan, now: float) -> RunRecord:
    """Return the record for a host's run. The fleet's start approves the host's warnings. `now`: UNIX seconds."""
    assert fleet.start is not None, "no host runs before the start"
    fleet_record = fleet.run.record
    command = _host_command(fleet_record.command, host)
    return RunRecord(
        host_run_id(fleet_record.run, host.host),
        command,
        command.text,
        fleet_record.requester,
        fleet_record.channel,
        now,
        parent_run=fleet_record.run,
        approvals=(Approval(fleet.start.user, host.warnings_fingerprint, fleet.start.decided_at),),
        allowed_hosts=(host.host,),
    )


def _host_command(fleet_command: Command, host: HostPlan) -> Migrate | Upgrade:
    if isinstance(fleet_command, UpgradeAll):
        return Upgrade(host.host, fleet_command.version)
    return Migrate(host.host, host.role)


def decisions_from_hold(fleet: FleetState) -> tuple[tuple[RunState, Decision], ...]:
    """Return the decisions for paused hosts that follow from the fleet's resume or cancel."""
    hold = fleet.hold
    if hold is None or hold.action == "pause":
        return ()
    choice: Literal["continue", "cancel"] = "continue" if hold.action == "resume" else "cancel"
    waiting = ((host.run, host.run.question) for host in fleet.with_status("waiting") if host.run and host.run.question)
    paused = ((run, question.fingerprint) for run, question in waiting if question.question == "resume")
    return tuple(
        (run, Decision(run.record.job_count, choice, hold.user, hold.requested_at, fingerprint, hold.why))
        for run, fingerprint in paused
    )
